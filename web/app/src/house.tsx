/** What all views of somebody who is signed in share. */
import type { Chatd, ListState, SessionList, User } from "@chatd/client";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { type Models, ModelStore } from "./models";
import { complain } from "./notices";
import { expire } from "./server";
import { Store, useStore } from "./store";

export interface House {
  readonly chatd: Chatd;
  readonly list: SessionList;
  readonly models: ModelStore;
  readonly user: Store<User | undefined>;
}

const Context = createContext<House | undefined>(undefined);

export function useHouse(): House {
  const house = useContext(Context);
  if (!house) throw new Error("There is no <HouseProvider> around this component.");
  return house;
}

/** Opens the list of sessions and loads the rest, again at each new connection. */
export function HouseProvider({ chatd, children }: { chatd: Chatd; children: ReactNode }) {
  const house = useMemo(() => build(chatd), [chatd]);
  useEffect(() => {
    const stop = house.list.subscribe(surroundings(house));
    house.list.open();
    return () => {
      stop();
      house.list.close();
    };
  }, [house]);
  return <Context value={house}>{children}</Context>;
}

function build(chatd: Chatd): House {
  return {
    chatd,
    list: chatd.sessions(),
    models: new ModelStore(chatd.api),
    user: new Store<User | undefined>(undefined),
  };
}

/** Returns what follows the list's connection: a new one may mean another server, and other models. */
function surroundings({ list, models, user, chatd }: House): () => void {
  let before: ListState["connection"] = "closed";
  return () => {
    const { connection, error } = list.state;
    if (connection === before) return;
    before = connection;
    if (connection === "refused" && error?.code === "unauthorized") expire(chatd);
    if (connection !== "live") return;
    Promise.all([models.load(), chatd.api.me().then((me) => user.set(me))]).catch(complain);
  };
}

/** Returns the state of the session list. */
export function useList(): ListState {
  const { list } = useHouse();
  return useSyncExternalStore(list.subscribe, () => list.state);
}

export function useModels(): Models {
  return useStore(useHouse().models);
}

export function useUser(): User | undefined {
  return useStore(useHouse().user);
}
