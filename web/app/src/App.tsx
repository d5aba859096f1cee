/** The page: who one is, then the house with the view that the address names. */
import { ChatdProvider } from "@chatd/react";
import { lazy, Suspense, useEffect } from "react";
import { Frame } from "./Frame";
import { HouseProvider } from "./house";
import { t } from "./i18n";
import { drawing } from "./languages";
import { Notices } from "./notices";
import { gate } from "./server";
import { useStore } from "./store";
import { forgetKept } from "./thread/kept";

const SignIn = lazy(() => import("./sign-in/SignIn"));

export function App() {
  const state = useStore(gate);
  const language = useStore(drawing);
  const hasLeft = state.is === "out" && state.reason === "signedOut";
  // In each tab, and once what was open is gone: a composer that goes keeps what is written in it.
  useEffect(() => {
    if (hasLeft) forgetKept();
  }, [hasLeft]);
  if (state.is === "checking") return <p className="unseen">{t("signIn.checking")}</p>;
  if (state.is === "out") {
    return (
      <Suspense>
        <SignIn reason={state.reason} />
      </Suspense>
    );
  }
  return (
    <ChatdProvider key={state.chatd.api.token} client={state.chatd}>
      <HouseProvider chatd={state.chatd}>
        <Frame key={language} />
        <Notices />
      </HouseProvider>
    </ChatdProvider>
  );
}
