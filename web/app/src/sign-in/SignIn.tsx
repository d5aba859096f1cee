/** Where one proves who one is: by the printed link, a name and password, or a token. */
import type { ChatdError } from "@chatd/client";
import { MessageSquareText } from "lucide-react";
import { type FormEvent, useState } from "react";
import { t } from "../i18n";
import { enterWith, type Gate, stranger } from "../server";
import "./sign-in.css";

type Reason = Extract<Gate, { is: "out" }>["reason"];
type Way = "password" | "token";

const WAY = "chatd.sign_in";

const REASONS = {
  usedLink: "signIn.usedLink",
  expired: "signIn.expired",
  signedOut: "signIn.signedOut",
  unreachable: "app.unreachable",
} as const;

export default function SignIn({ reason }: { reason: Reason }) {
  const [way, setWay] = useState<Way>(localStorage.getItem(WAY) === "password" ? "password" : "token");
  const [hasChosen, setChosen] = useState(false); // then the focus stays with the choice
  const choose = (chosen: Way) => {
    setChosen(true);
    localStorage.setItem(WAY, chosen);
    setWay(chosen);
  };
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <MessageSquareText className="sign-in-mark" size={32} aria-hidden />
        <h1>{t("signIn.title")}</h1>
        <p className="sign-in-hint">
          <WithCommand text={t("signIn.hint", { command: "\0" })} command="chatd serve" />
        </p>
        {reason && (
          <p className="sign-in-reason" role={reason === "signedOut" ? "status" : "alert"}>
            {t(REASONS[reason])}
          </p>
        )}
        <Ways way={way} onChoose={choose} />
        <Form key={way} way={way} hasFocus={!hasChosen} />
      </div>
    </main>
  );
}

/** A text with a command in it, which is not translated. */
function WithCommand({ text, command }: { text: string; command: string }) {
  const [before, after] = text.split("\0");
  return (
    <>
      {before}
      <code>{command}</code>
      {after}
    </>
  );
}

function Ways({ way, onChoose }: { way: Way; onChoose: (way: Way) => void }) {
  const ways = [["token", t("signIn.withToken")], ["password", t("signIn.withPassword")]] as const;
  return (
    <fieldset className="choice">
      <legend className="unseen">{t("signIn.submit")}</legend>
      {ways.map(([value, label]) => (
        <label key={value}>
          <input type="radio" name="way" className="unseen" checked={way === value} onChange={() => onChoose(value)} />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

function Form({ way, hasFocus }: { way: Way; hasFocus: boolean }) {
  const [trouble, setTrouble] = useState("");
  const [isWorking, setWorking] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setWorking(true);
    setTrouble("");
    try {
      await (way === "token" ? withToken(given) : withPassword(given));
    } catch (error) {
      setTrouble(sentence(error as ChatdError, way));
      setWorking(false);
    }
  };
  return (
    <form className="sign-in-form" onSubmit={submit}>
      {way === "token" ? <TokenField hasFocus={hasFocus} /> : <PasswordFields hasFocus={hasFocus} />}
      <button type="submit" className="button button-primary" disabled={isWorking}>
        {t(isWorking ? "signIn.working" : "signIn.submit")}
      </button>
      <p className="field-trouble" role="alert">
        {trouble}
      </p>
    </form>
  );
}

function TokenField({ hasFocus }: { hasFocus: boolean }) {
  return (
    <div className="field">
      <label htmlFor="token">{t("signIn.token")}</label>
      <input id="token" name="token" type="password" className="input" required autoFocus={hasFocus} spellCheck={false} autoComplete="current-password" />
      <p className="field-hint">
        <WithCommand text={t("signIn.tokenHint", { command: "\0" })} command="chatd tokens create NAME" />
      </p>
    </div>
  );
}

function PasswordFields({ hasFocus }: { hasFocus: boolean }) {
  return (
    <>
      <div className="field">
        <label htmlFor="name">{t("signIn.name")}</label>
        <input id="name" name="name" className="input" required autoFocus={hasFocus} spellCheck={false} autoCapitalize="none" autoComplete="username" />
      </div>
      <div className="field">
        <label htmlFor="password">{t("signIn.password")}</label>
        <input id="password" name="password" type="password" className="input" required autoComplete="current-password" />
      </div>
    </>
  );
}

async function withToken(given: FormData): Promise<void> {
  const token = String(given.get("token")).trim();
  await stranger(token).me();
  enterWith(token, "pasted");
}

async function withPassword(given: FormData): Promise<void> {
  const { token } = await stranger().signIn({ name: given.get("name"), password: given.get("password") });
  enterWith(token, "password");
}

function sentence(error: ChatdError, way: Way): string {
  if (error.code === "unreachable") return t("app.unreachable");
  if (error.code !== "unauthorized") return error.message;
  return t(way === "token" ? "signIn.wrongToken" : "signIn.wrongPassword");
}
