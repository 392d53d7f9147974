// The bar at the top: theme, scores, viewer, the list of keys; and what the filters send.

const html = document.documentElement;
const layout = document.getElementById("layout");
const viewing = document.getElementById("viewing");

function keep(name, value) {
  html.dataset[name] = value;
  try {
    localStorage.setItem(`likeness.${name}`, value);
  } catch {
    // Storage is forbidden here: the choice holds for this page.
  }
}

function showChoices() {
  button("theme").setAttribute("aria-pressed", String(html.dataset.theme === "light"));
  button("scores").setAttribute("aria-pressed", String(html.dataset.scores === "hidden"));
  button("viewer").setAttribute("aria-pressed", String(!viewing.hidden));
}

function button(name) {
  return document.querySelector(`[data-toggle="${name}"]`);
}

function toggleViewer() {
  if (!viewing.firstElementChild) viewing.append(viewer());
  viewing.hidden = !viewing.hidden;
  layout.toggleAttribute("data-viewing", !viewing.hidden);
}

function viewer() {
  const isViewer = viewing.dataset.kind === "viewer";
  const shown = document.createElement(isViewer ? "iframe" : "img");
  shown.src = viewing.dataset.source;
  shown[isViewer ? "title" : "alt"] = "The study asked with";
  return shown;
}

const toggles = {
  theme: () => keep("theme", html.dataset.theme === "light" ? "dark" : "light"),
  scores: () => keep("scores", html.dataset.scores === "hidden" ? "shown" : "hidden"),
  viewer: toggleViewer,
};
for (const [name, toggle] of Object.entries(toggles)) {
  button(name).addEventListener("click", () => {
    toggle();
    showChoices();
  });
}
showChoices();

const keys = document.getElementById("keys");
document.querySelector('[data-show="keys"]').addEventListener("click", () => keys.showModal());
keys.querySelector("[data-close]").addEventListener("click", () => keys.close());

// What is left empty asks for nothing: it need not stand in the address.
document.querySelector("#filters form").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});
