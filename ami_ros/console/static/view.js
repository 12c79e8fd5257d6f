// Colours of the theme for canvases, and the view of the map: metres to pixels and back.
const NAMES = ["accent", "good", "bad", "warm", "graph", "soft", "line", "ink", "card", "floor", "wall", "unknown", "person"];
export const colours = {};
const probes = {};

// Resolves light-dark(), which a canvas does not know.
export function readColours() {
  for (const name of NAMES) {
    if (!probes[name]) {
      probes[name] = document.createElement("i");
      probes[name].hidden = true;
      probes[name].style.color = `var(--${name})`;
      document.body.append(probes[name]);
    }
    colours[name] = getComputedStyle(probes[name]).color;
  }
}
export const rgb = name => colours[name].match(/[\d.]+/g).slice(0, 3).map(Number);

export function fit(canvas) {
  const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return [g, w, h];
}

export class View {
  constructor() { this.x = 0; this.y = 0; this.scale = 60; this.own = false; this.w = 1; this.h = 1; } // centre [m], [px/m]
  px([x, y]) { return [this.w / 2 + (x - this.x) * this.scale, this.h / 2 - (y - this.y) * this.scale]; }
  m([u, v]) { return [this.x + (u - this.w / 2) / this.scale, this.y - (v - this.h / 2) / this.scale]; }
  pan(du, dv) { this.own = true; this.x -= du / this.scale; this.y += dv / this.scale; }
  zoom(factor, at) {
    const before = this.m(at);
    this.own = true;
    this.scale = Math.min(600, Math.max(4, this.scale * factor));
    const after = this.m(at);
    this.x += before[0] - after[0]; this.y += before[1] - after[1];
  }
  show([x0, x1, y0, y1]) {
    this.x = (x0 + x1) / 2; this.y = (y0 + y1) / 2;
    this.scale = Math.min(160, Math.max(4, Math.min((this.w - 40) / Math.max(x1 - x0, 1), (this.h - 130) / Math.max(y1 - y0, 1))));
  }
}

export function line(g, points, colour, width, alpha = 1, dash = []) {
  if (!points || points.length < 2) return;
  g.globalAlpha = alpha; g.strokeStyle = colour; g.lineWidth = width; g.setLineDash(dash); g.lineJoin = g.lineCap = "round";
  g.beginPath();
  points.forEach(([x, y], i) => i ? g.lineTo(x, y) : g.moveTo(x, y));
  g.stroke();
  g.globalAlpha = 1; g.setLineDash([]);
}
export function ring(g, [x, y], r, colour, width = 2, dash = []) {
  g.strokeStyle = colour; g.lineWidth = width; g.setLineDash(dash);
  g.beginPath(); g.arc(x, y, Math.max(r, 0.5), 0, 7); g.stroke(); g.setLineDash([]);
}
export function disc(g, [x, y], r, colour, alpha = 1) {
  g.globalAlpha = alpha; g.fillStyle = colour;
  g.beginPath(); g.arc(x, y, Math.max(r, 0.5), 0, 7); g.fill(); g.globalAlpha = 1;
}
// An arrow head at `yaw` [rad] on the rim of a disc.
export function head(g, [x, y], yaw, r, colour) {
  const c = Math.cos(yaw), s = -Math.sin(yaw), tip = r * 1.8;
  g.beginPath(); g.moveTo(x + tip * c, y + tip * s);
  g.lineTo(x + r * (.8 * c - .6 * s), y + r * (.8 * s + .6 * c));
  g.lineTo(x + r * (.8 * c + .6 * s), y + r * (.8 * s - .6 * c));
  g.closePath(); g.fillStyle = colour; g.fill();
}
export function words(g, text, [x, y], colour, halo) {
  g.font = "600 12px system-ui, sans-serif"; g.textAlign = "center"; g.lineJoin = "round";
  g.strokeStyle = halo; g.lineWidth = 4; g.strokeText(text, x, y);
  g.fillStyle = colour; g.fillText(text, x, y);
}
