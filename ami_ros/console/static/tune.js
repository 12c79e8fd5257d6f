// Parameters that may change while the robot runs: the node describes them, and refuses what it does not take.
import { ask } from "./link.js";

const $ = id => document.getElementById(id);
let tell = () => {};

export function setUp(notify) {
  tell = notify;
  $("tune").ontoggle = () => { if ($("tune").open) load(); };
  $("tune_node").onchange = load;
  $("tune_find").oninput = filter;
}
async function load() {
  const node = $("tune_node").value;
  $("tune_list").textContent = "asks the node …";
  try {
    const { parameters } = await ask("parameters", { node });
    if ($("tune_node").value !== node) return; // another one was chosen meanwhile
    $("tune_list").replaceChildren(...parameters.map(about => row(node, about)));
    filter();
  } catch (error) { $("tune_list").textContent = error.message; }
}
function row(node, about) {
  const label = document.createElement("label"), name = document.createElement("b"), words = document.createElement("small"), input = document.createElement("input");
  const unit = document.createElement("span"), { value } = about;
  name.textContent = about.name.replace(/[._]/g, "$&\u200b"); // where the line may break
  words.textContent = about.words; unit.textContent = about.unit;
  if (typeof value === "boolean") { input.type = "checkbox"; input.checked = value; }
  else if (typeof value === "number") {
    input.type = "number"; input.step = "any"; input.value = value;
    if (about.low != null) { input.min = about.low; input.max = about.high; words.textContent += `; ${about.low} to ${about.high}`; }
  } else input.value = value;
  input.onchange = () => set(node, about, input);
  label.append(name, input, unit, words);
  return label;
}
async function set(node, about, input) {
  const value = typeof about.value === "boolean" ? input.checked : typeof about.value === "number" ? Number(input.value) : input.value;
  try {
    if (input.type === "number" && input.value === "") throw new Error(`${about.name}: a number is expected`);
    tell(await ask("tune", { node, name: about.name, value }));
    about.value = value;
  } catch (error) {
    tell(error.message, true);
    if (input.type === "checkbox") input.checked = about.value; else input.value = about.value;
  }
}
function filter() {
  const wanted = $("tune_find").value.trim().toLowerCase();
  for (const item of $("tune_list").children) item.hidden = !item.textContent.replaceAll("\u200b", "").toLowerCase().includes(wanted);
}
