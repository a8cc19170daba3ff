// Rows with a box: “choose all”, and how many are chosen beside the buttons that act on them.
function update(form) {
  const boxes = [...form.querySelectorAll("input[name=site]")];
  const count = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-choose-all]");
  if (all) {
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  }
  const bar = form.querySelector("[data-chosen-bar]");
  bar.hidden = count === 0;
  bar.querySelector("[data-chosen-count]").textContent = count;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-choose]");
  if (!form) return;
  if (event.target.matches("[data-choose-all]")) {
    for (const box of form.querySelectorAll("input[name=site]")) box.checked = event.target.checked;
  }
  update(form);
});
for (const form of document.querySelectorAll("form[data-choose]")) update(form);
