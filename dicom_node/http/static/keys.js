// Keys press the buttons that are there for everybody: nothing is done by keyboard only.

const FIELDS = "input, select, textarea, [contenteditable]";
const switchOff = document.querySelector("[data-keys-off]");

function areOff() {
  try {
    return localStorage.getItem("likeness.keys") === "off";
  } catch {
    return false;
  }
}

switchOff.checked = areOff();
switchOff.addEventListener("change", () => {
  try {
    localStorage.setItem("likeness.keys", switchOff.checked ? "off" : "on");
  } catch {
    switchOff.checked = false;
  }
});

function currentCard() {
  return document.activeElement?.closest(".card");
}

function goTo(card) {
  card?.querySelector("[data-open]").focus();
}

function step(by) {
  const cards = [...document.querySelectorAll(".card")];
  const here = cards.indexOf(currentCard());
  goTo(here < 0 ? cards[0] : cards[here + by]);
}

// The nearest card in the next row; nothing is taken from the arrow keys outside the cards.
function row(down) {
  const here = currentCard()?.getBoundingClientRect();
  if (!here) return false;
  const beyond = [...document.querySelectorAll(".card")]
    .map((card) => ({ card, box: card.getBoundingClientRect() }))
    .filter(({ box }) => (down ? box.top > here.top + 1 : box.top < here.top - 1))
    .map(({ card, box }) => ({ card, far: Math.hypot(box.left - here.left, 9 * (box.top - here.top)) }));
  if (!beyond.length) return false;
  goTo(beyond.reduce((best, one) => (one.far < best.far ? one : best)).card);
  return true;
}

function openFilters() {
  const filters = document.getElementById("filters");
  filters.open = true;
  (filters.querySelector("form input:not([type=hidden])") ?? filters.querySelector("summary")).focus();
}

const moves = {
  j: () => step(1),
  k: () => step(-1),
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => row(true),
  ArrowUp: () => row(false),
  f: openFilters,
};

function press(scope, key) {
  const control = [...scope.querySelectorAll("[data-key]")].find((one) =>
    one.dataset.key.split(" ").includes(key),
  );
  if (!control || control.hidden || control.ariaDisabled === "true") return false;
  control.click();
  return true;
}

function pressInCard(key) {
  const control = currentCard()?.querySelector(`[data-card-key="${CSS.escape(key)}"]`);
  control?.click();
  return Boolean(control);
}

function take(key) {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) return press(dialog, key);
  if (pressInCard(key)) return true;
  if (moves[key]) return moves[key]() !== false;
  return press(document.querySelector("header.bar"), key);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.(FIELDS)) return;
  if (event.key.length === 1 && areOff()) return;
  if (take(event.key)) event.preventDefault();
});
