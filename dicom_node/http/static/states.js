// A page that waits: asks how the study stands, and shows the answer as soon as there is one.

const EVERY_MS = 2000;
const page = document.querySelector("main");
const said = document.getElementById("said");
const form = document.querySelector("[data-send]");

function look() {
  setTimeout(async () => {
    try {
      const answer = await fetch(page.dataset.poll, { cache: "no-store" });
      if (answer.ok) {
        const { state } = await answer.json();
        if (form || !["open", "queued"].includes(state)) return location.reload();
      } else if (answer.status !== 404) {
        throw new Error(`the answer was ${answer.status}`);
      } else if (!form) {
        return location.reload();
      }
      if (!form) said.textContent = "";
    } catch {
      said.textContent = "The node does not answer. Still looking.";
    }
    look();
  }, EVERY_MS);
}

async function send() {
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "Sending…";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: "{}",
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.says || told.detail || `the answer was ${answer.status}`);
    said.textContent = `This study: ${told.says || "on its way"}. Its answer is shown here.`;
    look();
  } catch (fault) {
    said.textContent = `Not sent: ${fault.message}`;
    button.disabled = false;
  }
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
} else if (page.dataset.poll) {
  look();
}
