// Finding and making elements.

export const $ = (id) => document.getElementById(id);

/** Return a new element; text given as a child stays text, whatever it says. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
