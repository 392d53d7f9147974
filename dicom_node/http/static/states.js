// A page that waits: asks how the study stands, and shows the answer as soon as there is one.

const EVERY_MS = 2000;
const AT_THE_NODE = ["open", "queued", "indexed", "answered"];
const ON_ITS_WAY = ["waiting", "sending", "node away"];
const page = document.querySelector("main");
const said = document.getElementById("said");
const form = document.querySelector("[data-send]");
const sendButton = form?.querySelector("button");
let watched = page.dataset.poll; // once the study was sent: the plug-in's own door for its state

function look() {
  setTimeout(async () => {
    try {
      const answer = await fetch(watched, { cache: "no-store" });
      if (answer.ok) {
        if (show(await answer.json())) return location.reload();
      } else if (answer.status !== 404) {
        throw new Error(`the answer was ${answer.status}`);
      } else if (!form) {
        return location.reload();
      }
    } catch {
      said.textContent = "The node does not answer. Still looking.";
    }
    look();
  }, EVERY_MS);
}

// Whether the page, loaded again, has something new to show.
function show({ state, says }) {
  if (!form) {
    said.textContent = "";
    return !["open", "queued"].includes(state);
  }
  if (watched === page.dataset.poll || AT_THE_NODE.includes(state)) return true;
  const waits = ON_ITS_WAY.includes(state);
  said.textContent = `This study: ${says}.${waits ? " Its answer is shown here." : ""}`;
  sendButton.disabled = waits;
  return false;
}

async function send() {
  sendButton.disabled = true;
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
    if (told.watch) watched = new URL(`../${told.watch}`, form.action).href;
  } catch (fault) {
    said.textContent = `Not sent: ${fault.message}`;
    sendButton.disabled = false;
  }
}

if (form) {
  let looking = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await send();
    if (!looking && sendButton.disabled) {
      looking = true;
      look();
    }
  });
} else if (page.dataset.poll) {
  look();
}
