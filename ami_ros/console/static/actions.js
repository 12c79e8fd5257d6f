// What one can ask for with buttons and forms; who may, and who has the robot.
import { ask, upload } from "./link.js";
import { setArea } from "./map.js";

const $ = id => document.getElementById(id);
let tell = () => {};

export function setUp(notify, scene) {
  tell = notify;
  for (const button of document.querySelectorAll("[data-ask]")) button.onclick = () => act(button.dataset.ask);
  $("stop").onclick = () => act("stop");
  $("release").onclick = () => act("release");
  $("take").onclick = () => act("take_over");
  $("give").onclick = () => act("give_back");
  $("keep_view").onclick = () => act("keep_view");
  addEventListener("keydown", event => { if (event.key === "Escape") { event.preventDefault(); act("stop"); } });
  form("explore", () => ["explore", { minutes: Number($("minutes").value), area: scene.area }], () => setArea([]));
  form("place", () => {
    const names = $("places").value.split(",").map(name => name.trim()).filter(Boolean);
    return names.length > 1 ? ["patrol", { names }] : ["goto_place", { name: names[0] || "" }];
  });
  form("name", () => ["name", { name: $("label").value.trim() }]);
  $("file").onchange = () => { if ($("file").files[0]) send($("file").files[0]); $("file").value = ""; };
  for (const type of ["dragover", "drop", "dragleave"]) addEventListener(type, event => drag(type, event));
}
function form(id, request, then = () => {}) { $(id).onsubmit = async event => { event.preventDefault(); if (await act(...request())) then(); }; }
export async function act(name, fields) {
  try { tell(await ask(name, fields)); return true; } catch (error) { tell(error.message, true); return false; }
}
async function send(file) {
  try { const number = await upload(file); await act("goto_picture", { picture: number }); } catch (error) { tell(error.message, true); }
}
function drag(type, event) {
  event.preventDefault();
  $("drop").classList.toggle("over", type === "dragover");
  if (type === "drop" && event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
}

export function showPictures({ pictures }) {
  $("pictures").replaceChildren(...pictures.toReversed().map(picture => {
    const button = document.createElement("button"), image = document.createElement("img");
    image.src = picture.src; image.alt = "";
    button.append(image, `Go: ${picture.title}`);
    button.title = `Go to where ${picture.title} was taken`;
    button.onclick = () => act("goto_picture", { picture: picture.number });
    return button;
  }));
}
export function showPlaces({ labels }) {
  const names = Object.values(labels).sort().join("\n"), list = $("known_places");
  if (list.dataset.names === names) return;
  list.dataset.names = names;
  list.replaceChildren(...Object.values(labels).sort().map(name => new Option(name)));
}
export function showControl(about, state) {
  const mine = about.driver === about.you, free = about.driver === 0;
  $("driver").textContent = free ? (about.viewers > 1 ? `${about.viewers} look, nobody drives` : "") : mine ? "you drive" : `viewer ${about.driver} drives`;
  $("take").hidden = !about.may_act || free || mine;
  $("give").hidden = !mine;
  for (const item of document.querySelectorAll("#actions button, #actions input, #tune_list input, #release, [data-tool=goal], [data-tool=area], [data-tool=keep], #save"))
    item.disabled = !about.may_act;
  $("pad").setAttribute("aria-disabled", String(!about.may_act));
  $("pause").hidden = Boolean(state.paused); $("resume").hidden = !state.paused;
  $("pause").disabled = !about.may_act || !state.doing;
  $("stop").setAttribute("aria-pressed", String(state.stopped));
  $("stop").firstChild.textContent = state.stopped ? "STOPPED" : "STOP";
  $("release").hidden = !state.stopped;
}
