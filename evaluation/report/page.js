// Neighbours of the wrong class: shows the pairs of the classes that were chosen, or all.
document.documentElement.classList.add("js");

for (const browser of document.querySelectorAll("[data-browser]")) {
  const [asked, found] = browser.querySelectorAll("select");
  const cells = [...browser.querySelectorAll("[data-asked]")];
  const said = browser.querySelector("[role=status]");

  const filter = () => {
    let pairs = 0;
    for (const cell of cells) {
      const fits =
        (!asked.value || cell.dataset.asked === asked.value) &&
        (!found.value || cell.dataset.found === found.value);
      cell.hidden = !fits;
      if (fits) pairs += Number(cell.dataset.pairs);
    }
    said.textContent = pairs === 1 ? "1 pair" : `${pairs} pairs`;
  };

  asked.addEventListener("change", filter);
  found.addEventListener("change", filter);
  browser.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-cell]");
    if (!link) return;
    asked.value = link.dataset.row;
    found.value = link.dataset.column;
    filter();
    const cell = document.getElementById(link.dataset.cell).closest("details");
    cell.open = true;
    cell.querySelector("summary").focus();
  });
  filter();
}
