// Side by side: the query and a hit fill the window, in two viewers or as two pictures.

const dialog = document.getElementById("sides");
const query = document.getElementById("query");
const cards = [...document.querySelectorAll(".card")];
const pane = (side) => dialog.querySelector(`[data-side="${side}"]`);
let current = null;

// A new frame for each study: changing the address of an old one would fill the history.
function show(side, { viewer, picture }, name) {
  const shown = document.createElement(viewer ? "iframe" : "img");
  shown.src = viewer ?? picture;
  shown[viewer ? "title" : "alt"] = name;
  pane(side).querySelector(".window").replaceChildren(shown);
}

// ``viewers.js`` hears Escape in a viewer, where this document does not.
document.addEventListener("likeness:escape", () => dialog.close());

function tell(side, facts) {
  const told = facts.cloneNode(true);
  for (const node of told.querySelectorAll("[id]")) node.removeAttribute("id");
  told.querySelector("h3")?.replaceWith(...scores(told));
  pane(side).querySelector(".told").replaceChildren(...told.children);
}

function scores(told) {
  return [...told.querySelectorAll("h3 > .score")];
}

function turnTo(card) {
  current = card;
  const name = card.dataset.name;
  dialog.querySelector("#sides-title").textContent = `Query and ${name.toLowerCase()}`;
  pane("hit").querySelector("h3").textContent = name;
  pane("hit").setAttribute("aria-label", name);
  tell("hit", card.querySelector(".facts"));
  show("hit", card.dataset, name);
  for (const button of dialog.querySelectorAll("[data-step]")) {
    button.disabled = !cards[cards.indexOf(card) + Number(button.dataset.step)];
  }
  mirrorVerdict();
}

function mirrorVerdict() {
  for (const thumb of dialog.querySelectorAll("[data-mirror]")) {
    const its = current.querySelector(`[data-verdict="${thumb.dataset.mirror}"]`);
    thumb.hidden = !its;
    thumb.setAttribute("aria-pressed", its?.getAttribute("aria-pressed") ?? "false");
  }
  const told = pane("hit").querySelector(".told");
  told.querySelector(".fault")?.remove();
  const fault = current.querySelector(".fault");
  if (!fault.hidden) told.prepend(fault.cloneNode(true));
}

function open(card) {
  if (!pane("query").querySelector(".window").firstElementChild) {
    tell("query", query.querySelector(".facts"));
    show("query", query.dataset, "Query");
  }
  turnTo(card);
  dialog.showModal();
}

for (const card of cards) {
  card.querySelector("[data-open]").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(card);
  });
}
for (const button of dialog.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => {
    const next = cards[cards.indexOf(current) + Number(button.dataset.step)];
    if (next) turnTo(next);
  });
}
for (const thumb of dialog.querySelectorAll("[data-mirror]")) {
  thumb.addEventListener("click", () =>
    current.querySelector(`[data-verdict="${thumb.dataset.mirror}"]`)?.click(),
  );
}
document.addEventListener("likeness:verdict", ({ detail }) => {
  if (dialog.open && detail === current) mirrorVerdict();
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  for (const frame of dialog.querySelectorAll(".window")) frame.replaceChildren();
  // Where the reader now is, which may be some hits further than where it was opened.
  current?.querySelector("[data-open]").focus();
});
