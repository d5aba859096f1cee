import { createRoot } from "react-dom/client";
import { describe, expect, it, vi } from "vitest";
import { serving } from "../../client/test/server.js";
import { ChatdProvider, useChatSession, useSessionList } from "../src/index.js";

const server = serving();
const FRAME = 16; // milliseconds

function Chat({ id }: { id: string }) {
  const { state, session } = useChatSession(id);
  return (
    <main data-connection={state.connection}>
      {state.messages.map(({ id, content }) => (
        <p key={id}>{content}</p>
      ))}
      <output>{state.running?.text}</output>
      <em>{state.error?.code}</em>
      <button onClick={() => void session.send("[words:5] hello")}>Send</button>
    </main>
  );
}

let renders = 0;

function Calm({ id }: { id: string }) {
  const { state, session } = useChatSession(id, { byFrame: true });
  renders += 1;
  return (
    <main data-connection={state.connection}>
      <p>{state.messages.at(-1)?.status}</p>
      <button onClick={() => void session.send("[words:300] hello")}>Send</button>
    </main>
  );
}

function Titles() {
  const { state } = useSessionList();
  return <ul>{state.sessions.map(({ id, title }) => <li key={id}>{title}</li>)}</ul>;
}

/** Renders, and returns what to look at and how to end it. */
function rendered(element: React.ReactNode) {
  const host = document.createElement("div");
  const root = createRoot(host);
  root.render(<ChatdProvider client={server.client()}>{element}</ChatdProvider>);
  const settled = (check: () => unknown) => expect.poll(check, { timeout: 30_000 });
  return { host, settled, end: () => root.unmount() };
}

describe("useChatSession", () => {
  it("renders a turn, and disconnects when it is no longer shown", async () => {
    const { id } = await server.client().api.createSession({ model: "qwen3:8b" });
    const { host, settled, end } = rendered(<Chat id={id} />);
    await settled(() => host.querySelector("main")?.dataset.connection).toBe("live");
    host.querySelector("button")?.click();
    await settled(() => host.querySelectorAll("p").length).toBe(2);
    await settled(() => host.querySelector("output")?.textContent).toBe("");
    await settled(() => host.querySelectorAll("p")[1]?.textContent).toMatch(/\S/);
    expect(host.querySelector("p")?.textContent).toBe("[words:5] hello");
    end();
  });

  it("renders no more than once in a frame, if that is wanted", async () => {
    const { id } = await server.client().api.createSession({ model: "qwen3:8b" });
    // Those of happy-dom take no time.
    vi.stubGlobal("requestAnimationFrame", (act: () => void) => Number(setTimeout(act, FRAME)));
    vi.stubGlobal("cancelAnimationFrame", clearTimeout);
    const begun = performance.now();
    const { host, settled, end } = rendered(<Calm id={id} />);
    await settled(() => host.querySelector("main")?.dataset.connection).toBe("live");
    host.querySelector("button")?.click();
    await settled(() => host.querySelector("p")?.textContent).toBe("complete");
    const frames = (performance.now() - begun) / (FRAME - 1);
    expect(renders).toBeLessThan(frames + 5);
    end();
    vi.unstubAllGlobals();
  });

  it("says that a session does not exist", async () => {
    const { host, settled, end } = rendered(<Chat id="01990000-0000-7000-8000-000000000000" />);
    await settled(() => host.querySelector("em")?.textContent).toBe("not_found");
    expect(host.querySelector("main")?.dataset.connection).toBe("refused");
    end();
  });
});

describe("useSessionList", () => {
  it("shows a session that is made elsewhere", async () => {
    const { host, settled, end } = rendered(<Titles />);
    await server.client().api.createSession({ title: "From another tab" });
    await settled(() => host.textContent).toContain("From another tab");
    end();
  });
});
