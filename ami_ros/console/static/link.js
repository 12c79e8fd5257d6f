// The connection to the console's server: one WebSocket, opened again when it is lost.
const RETRY = [500, 1000, 2000, 4000]; // [ms]
const listeners = {};
const waiting = new Map();
let socket = null, count = 0, tries = 0, key = "";

export function on(kind, handler) { (listeners[kind] ||= []).push(handler); }
function emit(kind, value) { for (const handler of listeners[kind] || []) handler(value); }

// The key stands behind #, is kept for this tab, and taken out of the address bar.
export function readKey() {
  if (location.hash.length > 1) {
    key = location.hash.slice(1);
    sessionStorage.setItem("ami_key", key);
    history.replaceState(null, "", location.pathname);
  } else key = sessionStorage.getItem("ami_key") || "";
  return key;
}
export const currentKey = () => key;
export const isOpen = () => socket !== null && socket.readyState === WebSocket.OPEN;

export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/link`);
  let refused = "";
  socket.onopen = () => { socket.send(JSON.stringify({ key })); emit("open"); };
  socket.onmessage = event => {
    const message = JSON.parse(event.data);
    if (message.kind === "answer" || message.kind === "error") settle(message);
    else if (message.kind === "closed") { refused = message.error; emit("refused", refused); }
    else { if (message.kind === "state") tries = 0; emit(message.kind, message); }
  };
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error("the connection was lost"));
    waiting.clear();
    emit("lost", refused);
    if (!refused) setTimeout(connect, RETRY[Math.min(tries++, RETRY.length - 1)]);
  };
}

function settle(message) {
  const asked = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.kind === "error") {
    if (asked) asked.reject(new Error(message.error)); else emit("problem", message.error);
  } else if (asked) asked.resolve(message.value);
}

// Asks for something; what comes back, or an Error with the line that says why not.
export function ask(name, fields = {}) {
  if (!isOpen()) return Promise.reject(new Error("not connected"));
  const id = ++count;
  socket.send(JSON.stringify({ id, do: name, ...fields }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

// Says something to which no answer is expected.
export function say(name, fields = {}) { if (isOpen()) socket.send(JSON.stringify({ do: name, ...fields })); }

export async function upload(file) {
  const answer = await fetch(`/picture?title=${encodeURIComponent(file.name.slice(0, 40))}`,
    { method: "POST", body: file, headers: { "X-Key": key } });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value.picture;
}
