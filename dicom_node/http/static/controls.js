// The bar at the top: theme, scores, viewer, the list of keys, and the report.

const html = document.documentElement;
const said = document.getElementById("said");
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

function say(text, isFault = false) {
  said.textContent = text;
  said.classList.toggle("is-fault", isFault);
}

async function makeReport(address, wish) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(wish),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail || `the node answered ${answer.status}`);
  return told.report;
}

const SENDS = {
  queued: "queued for",
  running: "on its way to",
  done: "stored by",
  failed: "not taken by",
};

function becameOf(report) {
  const sends = report?.sends ?? [];
  if (!sends.length) {
    return (
      "The report is made, but goes nowhere: report.send_to in the node's settings names no " +
      "peer. An administrator can name your PACS there; meanwhile, download the report."
    );
  }
  const told = sends.map(({ peer, state, reason }) =>
    [SENDS[state] ?? state, peer, reason ? `(${reason})` : ""].filter(Boolean).join(" "),
  );
  return `Report: ${told.join("; ")}.`;
}

function reportIsThere(report) {
  document.getElementById("download").removeAttribute("data-make");
  document.getElementById("report-picture").hidden = !report?.picture_is_kept;
}

async function withReport(control, address, wish, then) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  say("Making the report…");
  try {
    const report = await makeReport(address, wish);
    reportIsThere(report);
    then(report);
  } catch (fault) {
    say(`No report: ${fault.message}`, true);
  } finally {
    control.removeAttribute("aria-busy");
  }
}

const send = document.querySelector("[data-report]");
send.addEventListener("click", () =>
  withReport(send, send.dataset.report, {}, (report) => say(becameOf(report))),
);

const download = document.getElementById("download");
download.addEventListener("click", (event) => {
  if (!download.dataset.make) return;
  event.preventDefault();
  // To no peer: who downloads a report has not asked for it to be sent.
  withReport(download, download.dataset.make, { peers: [] }, () => {
    say("The report is made.");
    download.click();
  });
});
