// Looking back: the states of the last minutes, kept by the server before this page came, and by the page since then.
import { ask } from "./link.js";

const EVERY = 500, MOST = 600; // [ms], moments
const slider = document.getElementById("time"), when = document.getElementById("when"), now = document.getElementById("now");
let states = [], at = -1, last = 0, show = () => {};

export const isPast = () => at >= 0;
export function setUp(shown) {
  show = shown;
  slider.oninput = () => { at = Number(slider.value) >= states.length - 1 ? -1 : Number(slider.value); label(); show(at < 0 ? null : states[at]); };
  now.onclick = () => { at = -1; slider.value = slider.max; label(); show(null); };
}
export async function load() {
  try {
    const { history } = await ask("history");
    const first = states.length ? states[0].t : Infinity;
    states = [...history.map(text => JSON.parse(text)).filter(s => s.t < first), ...states].slice(-MOST);
    label();
  } catch { /* it grows from now on */ }
}
export function keep(state) {
  if (performance.now() - last < EVERY) return;
  last = performance.now();
  states.push(state);
  if (states.length > MOST) { states.shift(); if (at > 0) at--; }
  label();
}
function label() {
  slider.max = Math.max(0, states.length - 1);
  if (at < 0) slider.value = slider.max; else slider.value = at;
  now.disabled = at < 0;
  document.body.classList.toggle("past", at >= 0);
  when.textContent = at < 0 ? "live" : `${Math.round(states.at(-1).t - states[at].t)} s ago`;
  slider.setAttribute("aria-valuetext", when.textContent);
}
