// Orthanc's viewers in frames: at the image that was asked for, and Escape heard from inside.

const TRIES = 50;
const PAUSE_MS = 100;
const ORTHANC_VIEWER = "/web-viewer/app/viewer.html";

const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));

// Orthanc's own web viewer takes no image from its address. The redirect to it says in the
// fragment which one is meant, and its slider is what goes there; OHIF and Stone read their address.
async function showImage(inside) {
  const { pathname, hash, search } = inside.location;
  const wanted = new URLSearchParams(hash.slice(1)).get("instance");
  if (!pathname.endsWith(ORTHANC_VIEWER) || !wanted) return;
  const series = new URLSearchParams(search).get("series");
  const address = new URL(`../series/${encodeURIComponent(series)}`, inside.location);
  const answer = await fetch(address);
  if (!answer.ok) return;
  const place = (await answer.json()).Slices?.indexOf(wanted) ?? -1;
  if (place >= 0) await slideTo(inside, place);
}

async function slideTo(inside, place) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const slider = inside.$?.("#slider");
    if (slider?.hasClass("ui-slider")) {
      slider.slider("option", "value", place);
      slider.slider("option", "slide")?.call(slider[0], null, { value: place });
      return;
    }
    await pause();
  }
}

function hearEscape(inside) {
  const pass = ({ key }) => {
    if (key === "Escape") document.dispatchEvent(new CustomEvent("likeness:escape"));
  };
  inside.addEventListener("keydown", pass, true); // before a viewer keeps it to itself
}

async function look(frame) {
  try {
    const inside = frame.contentWindow;
    if (inside.location.href === "about:blank") return;
    hearEscape(inside);
    await showImage(inside);
  } catch {
    // A viewer of another origin, or gone meanwhile: it stands where it opened by itself.
  }
}

document.addEventListener(
  "load",
  ({ target }) => target instanceof HTMLIFrameElement && look(target),
  true,
);
for (const frame of document.querySelectorAll("iframe")) {
  if (frame.contentDocument?.readyState === "complete") look(frame);
}
