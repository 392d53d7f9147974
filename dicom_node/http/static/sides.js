// Side by side: the query and a hit fill the window, in two viewers or as two pictures.

const dialog = document.getElementById("sides");
const query = document.getElementById("query");
const cards = [...document.querySelectorAll(".card")];
const pane = (side) => dialog.querySelector(`[data-side="${side}"]`);
const pictures = dialog.querySelector("[data-pictures]");
const WINDOWING = {
  viewers: "Each viewer windows its image by itself.",
  pictures: "Both pictures by the same windowing rule, 512 pixels at most.",
};
let current = null;

// A new frame for each image: changing the address of an old one would fill the history. What is
// shown already stays, as its reader left it.
function show(side, address, name) {
  const framed = isFramed();
  const place = pane(side).querySelector(".window");
  if (place.firstElementChild?.getAttribute("src") === address) return;
  const shown = document.createElement(framed ? "iframe" : "img");
  shown.src = address;
  shown[framed ? "title" : "alt"] = name;
  place.replaceChildren(shown);
}

function isFramed() {
  return Boolean(current.dataset.viewer) && pictures.ariaPressed !== "true";
}

// The query's half shows the image of it that this hit was compared with.
function showBoth() {
  const { name, viewer, picture, queryViewer, queryPicture } = current.dataset;
  const framed = isFramed();
  show("query", framed ? queryViewer : queryPicture, "Query");
  show("hit", framed ? viewer : picture, name);
  pictures.hidden = !viewer;
  document.getElementById("windowing").textContent = WINDOWING[framed ? "viewers" : "pictures"];
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

function tellQuery(card) {
  tell("query", query.querySelector(".facts"));
  const compared = card.querySelector(".query-kind");
  if (!compared) return;
  const kind = compared.cloneNode(true).childNodes;
  pane("query").querySelector(".kind").replaceChildren(...kind);
}

function turnTo(card) {
  current = card;
  const name = card.dataset.name;
  dialog.querySelector("#sides-title").textContent = `Query and ${name.toLowerCase()}`;
  pane("hit").querySelector("h3").textContent = name;
  pane("hit").setAttribute("aria-label", name);
  tell("hit", card.querySelector(".facts"));
  tellQuery(card);
  showBoth();
  for (const button of dialog.querySelectorAll("[data-step]")) {
    button.ariaDisabled = String(!beside(button)); // not disabled: it may have the focus
  }
  mirrorVerdict();
}

function beside(button) {
  return cards[cards.indexOf(current) + Number(button.dataset.step)];
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
    const next = beside(button);
    if (!next) return;
    turnTo(next);
    dialog.querySelector("[role=status]").textContent = `Query and ${next.dataset.name}`;
  });
}
pictures.addEventListener("click", () => {
  pictures.ariaPressed = String(pictures.ariaPressed !== "true");
  showBoth();
});
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
  dialog.querySelector("[role=status]").textContent = "";
  // Where the reader now is, which may be some hits further than where it was opened.
  current?.querySelector("[data-open]").focus();
});
