// How are elements made? Text is always set as text: what arrives comes from outside.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children; a string is a text, null is left out. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Gives `parent` one child a value, and touches only those whose value is another than before. */
export function refill(parent, values, build) {
  const texts = values.map((value) => JSON.stringify(value));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  values.forEach((value, place) => {
    const old = parent.children[place];
    if (old && old.shownFor === texts[place]) return;
    const fresh = build(value);
    fresh.shownFor = texts[place];
    if (!old) parent.append(fresh);
    else {
      const again = focused && old.contains(focused) && focused.dataset.act;
      old.replaceWith(fresh);
      if (again) fresh.querySelector(`[data-act="${CSS.escape(again)}"]`)?.focus();
    }
  });
  while (parent.children.length > values.length) parent.lastElementChild.remove();
}

/** Copies a text, or selects it where the browser does not let us. */
export async function copy(text, button, source) {
  try {
    await navigator.clipboard.writeText(text);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  } catch {
    getSelection().selectAllChildren(source);
  }
}
