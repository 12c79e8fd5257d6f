"""The console in a browser: the server, and the page in `static`."""
