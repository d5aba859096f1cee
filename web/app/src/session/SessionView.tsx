/** One session, or the beginning of a new one. */
import { useCallback } from "react";
import { putFirst, titleFor } from "../first";
import { useHouse } from "../house";
import { complain } from "../notices";
import { address, go, type Route } from "../route";
import { Thread } from "../thread/Thread";

export function SessionView({ route }: { route: Route }) {
  const { chatd } = useHouse();
  const start = useCallback(
    async (text: string) => {
      try {
        const session = await chatd.api.createSession({ title: titleFor(text) });
        putFirst(session.id, text);
        go(address("session", session.id));
      } catch (error) {
        complain(error);
        throw error;
      }
    },
    [chatd],
  );
  return <Thread sessionId={route.id} start={start} highlight={route.query.get("message") ?? undefined} />;
}
