// Before anything is drawn: what this reader chose earlier, so that nothing flashes.
{
  const html = document.documentElement;
  html.classList.add("js");
  try {
    for (const name of ["theme", "scores"]) {
      const kept = localStorage.getItem(`likeness.${name}`);
      if (["dark", "light", "shown", "hidden"].includes(kept)) html.dataset[name] = kept;
    }
  } catch {
    // Storage is forbidden here: the settings of the site stand.
  }
}
