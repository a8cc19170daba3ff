// On a narrow screen the navigation scrolls sideways: begin where the present page is.
for (const link of document.querySelectorAll(".side [aria-current], .tabs [aria-current]")) {
  const row = link.parentElement;
  row.scrollLeft = link.offsetLeft - row.offsetLeft - (row.clientWidth - link.offsetWidth) / 2;
}
