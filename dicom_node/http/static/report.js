// The report: made, sent, downloaded; never downloaded before the node says that there is one.

const { dataset } = document.getElementById("report");
const said = document.getElementById("said");
const send = document.getElementById("send");
const download = document.getElementById("download");
const words = JSON.parse(dataset.words);

function say(text, isFault = false) {
  said.textContent = text;
  said.classList.toggle("is-fault", isFault);
}

async function ask(wish) {
  const answer = await fetch(dataset.report, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(wish),
  }).catch(() => {
    throw new Error("the node does not answer");
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail || `the node answered ${answer.status}`);
  seen(told.report, answer.status === 201);
  return told.report;
}

// What the report lists is not what this page shows: it may be older, and it knows no filters.
function seen({ sop_instance_uid: uid, picture_is_kept: hasPicture }, isNew) {
  if (isNew) dataset.listsThen = dataset.listsNow;
  else if (uid !== dataset.uid) dataset.listsThen = dataset.listsUnknown;
  dataset.uid = uid;
  document.getElementById("report-picture").hidden = !hasPicture;
}

function withLists(text) {
  return [text, dataset.listsThen].filter(Boolean).join(" ");
}

function becameOf({ sends }) {
  if (!sends.length) {
    return (
      "The report is made, but goes nowhere: report.send_to in the node's settings names no " +
      "peer. An administrator can name your PACS there; meanwhile, download the report."
    );
  }
  const told = sends.map(({ peer, state, reason, taken }) => {
    const how = words[state === "failed" && taken?.length ? "not committed" : state] ?? state;
    return how.replace("{peer}", peer) + (reason ? ` (${reason})` : "");
  });
  return `Report: ${told.join("; ")}.`;
}

async function withReport(control, wish, then) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  say("Making the report…");
  try {
    await then(await ask(wish));
  } catch (fault) {
    say(`No report: ${fault.message}`, true);
  } finally {
    control.removeAttribute("aria-busy");
  }
}

// What was given up goes again only to peers that are named.
function givenUp({ sends }) {
  const wanted = JSON.parse(dataset.sendTo);
  const failed = sends.filter(({ peer, state }) => state === "failed" && wanted.includes(peer));
  return failed.map(({ peer }) => peer);
}

send.addEventListener("click", () =>
  withReport(send, {}, async (report) => {
    const peers = givenUp(report);
    const now = peers.length ? await ask({ peers }) : report;
    say(withLists(becameOf(now)));
  }),
);

function save() {
  const link = document.createElement("a");
  link.href = dataset.report;
  link.download = "";
  link.click();
}

download.addEventListener("click", (event) => {
  event.preventDefault();
  // To no peer: who downloads a report has not asked for it to be sent.
  withReport(download, { peers: [] }, () => {
    say(withLists("The report is there."));
    save();
  });
});
