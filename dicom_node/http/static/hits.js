// The cards: thumbs up or down on a hit, taken back by pressing again; pictures that fail.

const { query, feedback, filters } = document.getElementById("layout").dataset;

async function give(card, verdict) {
  const answer = await fetch(feedback, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      query,
      hit: card.dataset.hit,
      verdict,
      rank: Number(card.dataset.rank),
      filters: JSON.parse(filters),
    }),
  }).catch(() => {
    throw new Error("the node does not answer");
  });
  if (answer.ok) return;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.detail || `the node answered ${answer.status}`);
}

function complain(card, text) {
  const fault = card.querySelector(".fault");
  fault.textContent = text;
  fault.hidden = !text;
}

// Outside an open dialog nothing is read out.
function tell(text) {
  const within = document.querySelector("#sides[open]") ?? document.querySelector("main");
  within.querySelector("[role=status]").textContent = text;
}

async function press(card, thumb) {
  if (card.getAttribute("aria-busy") === "true") return;
  const verdict = thumb.getAttribute("aria-pressed") === "true" ? null : thumb.dataset.verdict;
  card.setAttribute("aria-busy", "true");
  complain(card, "");
  try {
    await give(card, verdict);
    for (const one of card.querySelectorAll("[data-verdict]")) {
      one.setAttribute("aria-pressed", String(one.dataset.verdict === verdict));
    }
    if (verdict) document.getElementById("refine").hidden = false;
    tell(`${card.dataset.name}: ${verdict ? `marked as ${verdict}` : "verdict taken back"}`);
  } catch (fault) {
    complain(card, `This verdict was not kept: ${fault.message}`);
  } finally {
    card.removeAttribute("aria-busy");
    document.dispatchEvent(new CustomEvent("likeness:verdict", { detail: card }));
  }
}

for (const card of document.querySelectorAll(".card")) {
  for (const thumb of card.querySelectorAll("[data-verdict]")) {
    thumb.addEventListener("click", () => press(card, thumb));
  }
}

// A picture that cannot be had is said to be none, instead of a torn page.
function withoutPicture(image) {
  image.hidden = true;
  image.parentElement.classList.add("no-picture");
}

for (const image of document.querySelectorAll(".picture img")) {
  image.addEventListener("error", () => withoutPicture(image));
  if (image.complete && !image.naturalWidth) withoutPicture(image);
}
