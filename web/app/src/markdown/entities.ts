/** Character references, `&copy;` and `&#169;`, as the characters that they stand for. */

/** The names of U+00A0 to U+00FF, in their order (HTML 4, section 24.2.1). */
const LATIN =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn " +
  "sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave " +
  "Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml " +
  "ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN " +
  "szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute " +
  "icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml " +
  "yacute thorn yuml";

/** The other ones that people and models write (HTML 4, sections 24.3 and 24.4, and a few more). */
const OTHERS =
  "amp & lt < gt > quot \" apos ' AMP & LT < GT > QUOT \" COPY © REG ® " +
  "OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ Alpha Α Beta Β Gamma Γ Delta Δ " +
  "Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ " +
  "Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ delta δ epsilon ε " +
  "zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ omicron ο pi π rho ρ sigmaf ς " +
  "sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ " +
  "ldquo “ rdquo ” bdquo „ dagger † Dagger ‡ bull • hellip … permil ‰ prime ′ Prime ″ lsaquo ‹ " +
  "rsaquo › oline ‾ frasl ⁄ euro € image ℑ weierp ℘ real ℜ trade ™ larr ← uarr ↑ rarr → darr ↓ " +
  "harr ↔ crarr ↵ lArr ⇐ uArr ⇑ rArr ⇒ dArr ⇓ hArr ⇔ forall ∀ part ∂ exist ∃ empty ∅ nabla ∇ " +
  "isin ∈ notin ∉ ni ∋ prod ∏ sum ∑ minus − lowast ∗ radic √ prop ∝ infin ∞ ang ∠ and ∧ or ∨ " +
  "cap ∩ cup ∪ int ∫ there4 ∴ sim ∼ cong ≅ asymp ≈ ne ≠ equiv ≡ le ≤ ge ≥ sub ⊂ sup ⊃ nsub ⊄ " +
  "sube ⊆ supe ⊇ oplus ⊕ otimes ⊗ perp ⊥ sdot ⋅ lceil ⌈ rceil ⌉ lfloor ⌊ rfloor ⌋ lang ⟨ rang ⟩ " +
  "loz ◊ spades ♠ clubs ♣ hearts ♥ diams ♦ check ✓ cross ✗ star ☆ phone ☎ " +
  "ensp \u2002 emsp \u2003 thinsp \u2009 zwnj \u200c zwj \u200d lrm \u200e rlm \u200f " +
  "lbrace { rbrace } lbrack [ rbrack ] lpar ( rpar ) colon : semi ; comma , period . excl ! " +
  "quest ? num # dollar $ percnt % ast * plus + equals = commat @ sol / bsol \\ lowbar _ grave ` " +
  "verbar | vert | Tab \t NewLine \n";

const REFERENCE = /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([A-Za-z][A-Za-z\d]{1,31}));/g;
const REPLACEMENT = "\ufffd";

const characters = new Map<string, string>();

function known(): Map<string, string> {
  if (characters.size > 0) return characters;
  for (const [place, name] of LATIN.split(" ").entries()) {
    characters.set(name, String.fromCharCode(0xa0 + place));
  }
  // By a pattern, as some of the characters are spaces themselves.
  for (const [, name, character] of OTHERS.matchAll(/(\w+) ([\s\S]) /gu)) {
    if (name && character) characters.set(name, character);
  }
  return characters;
}

function numbered(code: number): string {
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : REPLACEMENT;
}

/** Returns a text with its character references replaced; what is none stays as it is. */
export function decoded(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(REFERENCE, (whole, decimal: string, hexadecimal: string, name: string) => {
    if (decimal) return numbered(Number.parseInt(decimal, 10));
    if (hexadecimal) return numbered(Number.parseInt(hexadecimal, 16));
    return known().get(name) ?? whole;
  });
}
