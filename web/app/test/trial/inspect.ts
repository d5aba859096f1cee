/** Looks for anything in a document that runs, loads or leads where it must not. */

const ELEMENTS = new Set(
  ("A ANNOTATION BLOCKQUOTE BR BUTTON CODE DEL DIV EM FIGCAPTION FIGURE H3 H4 H5 H6 HR INPUT LI MATH MENCLOSE MFRAC MI " +
    "MN MO MOVER MPADDED MPHANTOM MROOT MROW MS MSPACE MSQRT MSTYLE MSUB MSUBSUP MSUP MTABLE MTD MTEXT MTR MUNDER " +
    "MUNDEROVER MLABELEDTR OL P PATH POLYLINE PRE RECT SEMANTICS SPAN STRONG SUP SVG TABLE TBODY TD TH THEAD TR UL LINE CIRCLE")
    .split(" "),
);
const ATTRIBUTES =
  /^(?:aria-[a-z]+|checked|class|dir|disabled|href|id|readonly|rel|role|start|style|tabindex|target|title|type|data-busy|width|height|viewbox|preserveaspectratio|xmlns|d|x|y|x1|x2|y1|y2|cx|cy|rx|ry|r|points|fill|stroke|stroke-(?:width|linecap|linejoin)|mathcolor|mathbackground|mathvariant|mathsize|encoding|display|stretchy|fence|separator|accent|accentunder|lspace|rspace|minsize|maxsize|linethickness|notation|scriptlevel|displaystyle|columnalign|columnspacing|rowspacing|columnlines|rowlines|frame|side|voffset|depth|largeop|movablelimits|symmetric|form)$/;
const LEADS_OUT = /^(?:https?|mailto):/;
const STYLE = /url\(|expression|fixed|sticky|javascript|@import/i;

/** Returns what is wrong below an element. */
export function faults(root: Element): string[] {
  const found: string[] = [];
  for (const element of root.querySelectorAll("*")) {
    if (!ELEMENTS.has(element.tagName.toUpperCase())) found.push(`<${element.tagName}>`);
    for (const { name, value } of element.attributes) {
      if (!ATTRIBUTES.test(name.toLowerCase())) found.push(`${element.tagName} ${name}="${value}"`);
      if (name === "href" && !isAllowed(element as HTMLAnchorElement, value)) found.push(`href ${value}`);
      if (name === "style" && STYLE.test(value)) found.push(`style ${value}`);
    }
  }
  return found;
}

function isAllowed(link: HTMLAnchorElement, href: string): boolean {
  const rel = "noopener noreferrer nofollow";
  return LEADS_OUT.test(href) && LEADS_OUT.test(link.protocol) && link.rel === rel && link.target === "_blank";
}
