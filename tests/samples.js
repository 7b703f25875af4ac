// Marks one text of each look: of those whose colour, ground, size and weight are the same, one stands for all.
() => {
  const known = new Set();
  for (const one of document.querySelectorAll("body *")) {
    one.removeAttribute("data-sample");
    const speaks = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!speaks || !one.checkVisibility()) continue;
    let ground = one;
    while (ground.parentElement && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    const style = getComputedStyle(one);
    const look = [style.color, style.fontSize, style.fontWeight, style.opacity, getComputedStyle(ground).backgroundColor].join();
    if (known.has(look)) continue;
    known.add(look);
    one.setAttribute("data-sample", "");
  }
}
