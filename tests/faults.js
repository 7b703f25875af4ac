// What is wrong with a page as it stands in a browser: what is empty, cut or covered, each as a sentence.
// printed: whether the page is looked at as it is printed, where nothing scrolls and nothing is unfolded.
(printed) => {
  const faults = [];
  const words = (element) => (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60);
  const place = (element) => element.closest("section")?.id || "page";
  const say = (fault, element) =>
    faults.push(`${fault}: ${element.tagName.toLowerCase()} in ${place(element)}: "${words(element)}"`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const drawn = (element) => element.querySelector("svg, img") !== null;

  for (const one of all("details")) {
    one.open = !printed;
    if (printed && ![...one.children].every((child) => child.checkVisibility())) say("not printed", one);
  }

  // Empty: what has a place has something to say.
  for (const one of all(".body, figure, h1, h2, h3, p, li, dt, dd, td, th, caption, figcaption, small, summary, a, pre, nav"))
    if (!one.textContent.trim() && !drawn(one)) say("empty", one);
  for (const one of all("table")) if (!one.querySelector("tbody tr")) say("without rows", one);
  for (const one of all("figure")) if (!drawn(one) || !one.querySelector("figcaption")) say("no figure", one);
  for (const one of all("svg")) {
    const box = one.getBoundingClientRect();
    if (box.width < 20 || box.height < 10 || !one.querySelector("path, use, line, circle, text")) say("nothing drawn", one);
  }
  for (const one of all("img")) if (!one.naturalWidth) say("nothing shown", one);

  // Cut: whatever is wider than its box scrolls inside it, and the page does not.
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) say(`the page is ${root.scrollWidth} pixels wide`, root);
  for (const one of all("body *")) {
    if (!(one instanceof HTMLElement) || !one.clientWidth || one.scrollWidth <= one.clientWidth + 1) continue;
    if (printed || !/auto|scroll/.test(getComputedStyle(one).overflowX)) say("wider than its box", one);
  }

  // Each line of text, as far as what it scrolls in lets it be seen.
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("title, desc, style") || !parent.checkVisibility()) continue;
    let block = parent;
    while (getComputedStyle(block).display === "inline" && !(block instanceof SVGElement)) block = block.parentElement;
    const room = { left: -Infinity, right: Infinity };
    for (let up = parent; up; up = up.parentElement) {
      if (!/auto|scroll|hidden|clip/.test(getComputedStyle(up).overflowX) || up === root || up === document.body) continue;
      const box = up.getBoundingClientRect();
      room.left = Math.max(room.left, box.left);
      room.right = Math.min(room.right, box.right);
    }
    const picture = parent.closest("svg");
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of picture ? [parent.getBoundingClientRect()] : range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      if (picture && getComputedStyle(picture).overflowX !== "visible") {
        const frame = picture.getBoundingClientRect();
        if (rect.left < frame.left - 1 || rect.right > frame.right + 1 || rect.top < frame.top - 1 || rect.bottom > frame.bottom + 1)
          say("cut by its picture", parent);
      }
      const [left, right] = [Math.max(rect.left, room.left), Math.min(rect.right, room.right)];
      if (right <= left) continue;
      if (left < -1 || right > root.clientWidth + 1) say("beyond the page", parent);
      // A line's box is higher than its letters.
      const spare = 0.2 * rect.height;
      lines.push({ left, right, top: rect.top + spare, bottom: rect.bottom - spare, block, parent });
    }
  }

  // Covered: no two blocks have letters in one place.
  lines.sort((one, other) => one.top - other.top);
  let open = [];
  for (const line of lines) {
    open = open.filter((other) => other.bottom > line.top + 1);
    for (const other of open)
      if (other.block !== line.block && other.right > line.left + 1 && line.right > other.left + 1)
        say(`covered by "${words(other.parent)}"`, line.parent);
    open.push(line);
  }
  return [...new Set(faults)].slice(0, 20);
};
