// How is JSON shown to be read? Digit for digit as it came: nothing is parsed, so that 120.50 stays
// 120.50 and no large number is rounded.

const SPACE = /\s/;

/** The JSON text with a line for each member; text that is no JSON comes back much as it is. */
export function indent(text) {
  let shown = "";
  let depth = 0;
  let inString = false;
  const line = () => `\n${"  ".repeat(Math.max(depth, 0))}`;
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place];
    if (inString) {
      shown += sign;
      if (sign === "\\") { place += 1; shown += text[place] ?? ""; }
      else if (sign === '"') inString = false;
    } else if (sign === '"') {
      inString = true;
      shown += sign;
    } else if (sign === "{" || sign === "[") {
      const rest = text.slice(place + 1).trimStart();
      if (rest[0] === "}" || rest[0] === "]") {
        shown += sign + rest[0];
        place = text.length - rest.length;
      } else {
        depth += 1;
        shown += sign + line();
      }
    } else if (sign === "}" || sign === "]") {
      depth -= 1;
      shown += line() + sign;
    } else if (sign === ",") shown += sign + line();
    else if (sign === ":") shown += ": ";
    else if (!SPACE.test(sign)) shown += sign;
  }
  return shown;
}
