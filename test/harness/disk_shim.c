/* Preloaded into a child of a test: notes in AMI_DISK_LOG, in order, what the process changes in the folder
 * AMI_DISK_FOLDER, when it makes a change last, and what it says on its standard output. See disk.py, which reads it.
 *
 * A record: kind (1 byte), id (8), offset (8), length of data (8), data. Little-endian. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define HELD(call) ({ pthread_mutex_lock(&lock); __typeof__(call) r_ = (call); r_; })
#define FREE() pthread_mutex_unlock(&lock)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static char folder[PATH_MAX];
static unsigned char ours[65536]; /* 1: a file in the folder, 2: the folder or one below it */

static void note(char kind, uint64_t id, uint64_t offset, const void *data, uint64_t length) {
    char head[25];
    head[0] = kind;
    memcpy(head + 1, &id, 8), memcpy(head + 9, &offset, 8), memcpy(head + 17, &length, 8);
    if (syscall(SYS_write, out, head, 25L) != 25 || syscall(SYS_write, out, data, length) != (long)length) abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("AMI_DISK_LOG"), *where = getenv("AMI_DISK_FOLDER");
    if (!log || !where) return;
    snprintf(folder, sizeof folder, "%s", where);
    out = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) abort();
    unsetenv("LD_PRELOAD"); /* children of the child are others */
}

/* The path as an absolute one, and whether it is in the folder. */
static int within(int dir, const char *path, char *full) {
    if (out < 0 || !path) return 0;
    char base[PATH_MAX] = "";
    if (path[0] != '/') {
        if (dir == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n < 0) return 0;
            base[n] = 0;
        }
        snprintf(full, PATH_MAX, "%.2000s/%.2000s", base, path);
    } else snprintf(full, PATH_MAX, "%s", path);
    size_t n = strlen(folder);
    return !strncmp(full, folder, n) && (full[n] == '/' || !full[n]);
}

static uint64_t inode(int fd) {
    struct stat s;
    return fstat(fd, &s) ? 0 : s.st_ino;
}

static int opened(int dir, const char *path, int flags, int mode) {
    char full[PATH_MAX];
    struct stat s;
    int is_ours = within(dir, path, full);
    if (is_ours) pthread_mutex_lock(&lock);
    int is_new = is_ours && (flags & O_CREAT) && lstat(full, &s);
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && fd < 65536) ours[fd] = 0;
    if (is_ours) {
        if (fd >= 0 && fd < 65536 && !fstat(fd, &s)) {
            ours[fd] = S_ISDIR(s.st_mode) ? 2 : 1;
            if (is_new) note('c', s.st_ino, 0, full, strlen(full));
            else if (flags & O_TRUNC) note('t', s.st_ino, 0, "", 0);
        }
        FREE();
    }
    return fd;
}

#define OPEN(name, dir, ...)                                                                                           \
    int name(__VA_ARGS__, int flags, ...) {                                                                            \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;                                              \
        va_end(more);                                                                                                  \
        return opened(dir, path, flags, mode);                                                                         \
    }
OPEN(open, AT_FDCWD, const char *path)
OPEN(open64, AT_FDCWD, const char *path)
OPEN(openat, dir, int dir, const char *path)
OPEN(openat64, dir, int dir, const char *path)

static int is_file(int fd) { return out >= 0 && fd >= 0 && fd < 65536 && ours[fd] == 1; }

#define PWRITE(name)                                                                                                   \
    ssize_t name(int fd, const void *data, size_t length, off64_t offset) {                                           \
        if (!is_file(fd)) return REAL(pwrite64)(fd, data, length, offset);                                             \
        ssize_t n = HELD(REAL(pwrite64)(fd, data, length, offset));                                                    \
        if (n > 0) note('w', inode(fd), offset, data, n);                                                              \
        FREE();                                                                                                        \
        return n;                                                                                                      \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t length) {
    if (out >= 0 && fd == 1) {
        pthread_mutex_lock(&lock);
        note('s', 0, 0, data, length);
        FREE();
    }
    if (!is_file(fd)) return syscall(SYS_write, fd, data, length);
    off64_t at = lseek64(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t n = HELD(syscall(SYS_write, fd, data, length));
    if (n > 0) note('w', inode(fd), at, data, n);
    FREE();
    return n;
}

#define TRUNCATE(name)                                                                                                 \
    int name(int fd, off64_t length) {                                                                                 \
        if (!is_file(fd)) return REAL(ftruncate64)(fd, length);                                                        \
        int r = HELD(REAL(ftruncate64)(fd, length));                                                                   \
        if (!r) note('t', inode(fd), length, "", 0);                                                                   \
        FREE();                                                                                                        \
        return r;                                                                                                      \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name)                                                                                                     \
    int name(int fd) {                                                                                                 \
        if (out < 0 || fd < 0 || fd >= 65536 || !ours[fd]) return REAL(name)(fd);                                      \
        int r = HELD(REAL(name)(fd));                                                                                  \
        if (!r) note(ours[fd] == 2 ? 'd' : 'f', inode(fd), 0, "", 0);                                                  \
        FREE();                                                                                                        \
        return r;                                                                                                      \
    }
SYNC(fsync)
SYNC(fdatasync)

/* A change of names: both paths, with a newline between them. */
static int named(char kind, int (*call)(void *), void *with, int dir, const char *path, int dir2, const char *path2) {
    char full[PATH_MAX], full2[PATH_MAX] = "", both[2 * PATH_MAX];
    int is_ours = within(dir, path, full);
    if (path2) is_ours |= within(dir2, path2, full2);
    if (!is_ours) return call(with);
    int r = HELD(call(with));
    if (!r) note(kind, 0, 0, both, snprintf(both, sizeof both, "%s\n%s", full, full2));
    FREE();
    return r;
}

struct names { int dir; const char *path; int dir2; const char *path2; int flags; };
static int do_rename(void *v) { struct names *n = v; return syscall(SYS_renameat2, n->dir, n->path, n->dir2, n->path2, 0); }
static int do_link(void *v) { struct names *n = v; return syscall(SYS_linkat, n->dir, n->path, n->dir2, n->path2, n->flags); }
static int do_unlink(void *v) { struct names *n = v; return syscall(SYS_unlinkat, n->dir, n->path, n->flags); }
static int do_mkdir(void *v) { struct names *n = v; return syscall(SYS_mkdirat, n->dir, n->path, n->flags); }

#define NAMES(...) struct names n = {__VA_ARGS__}
int renameat(int d, const char *a, int e, const char *b) { NAMES(d, a, e, b, 0); return named('r', do_rename, &n, d, a, e, b); }
int rename(const char *a, const char *b) { return renameat(AT_FDCWD, a, AT_FDCWD, b); }
int linkat(int d, const char *a, int e, const char *b, int f) { NAMES(d, a, e, b, f); return named('l', do_link, &n, d, a, e, b); }
int link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
int unlinkat(int d, const char *a, int f) { NAMES(d, a, 0, 0, f); return named('u', do_unlink, &n, d, a, 0, 0); }
int unlink(const char *a) { return unlinkat(AT_FDCWD, a, 0); }
int rmdir(const char *a) { return unlinkat(AT_FDCWD, a, AT_REMOVEDIR); }
int mkdirat(int d, const char *a, mode_t m) { NAMES(d, a, 0, 0, m); return named('m', do_mkdir, &n, d, a, 0, 0); }
int mkdir(const char *a, mode_t m) { return mkdirat(AT_FDCWD, a, m); }
