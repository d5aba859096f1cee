/** Which models there are, which one is taken, and whether the model server answers. */
import type { Api, Model } from "@chatd/client";
import { Store } from "./store";

export interface Models {
  readonly models: readonly Model[];
  /** The id of the model that a turn uses when nothing names one. */
  readonly default: string | null;
  /** Undefined until it is known. */
  readonly isHealthy?: boolean;
}

const ECHO = "echo";
const PATIENCE = 1_500; // milliseconds

/** The models of the server, as far as they were asked for. */
export class ModelStore extends Store<Models> {
  #loading: Promise<void> | undefined;

  constructor(private readonly api: Api) {
    super({ models: [], default: null });
  }

  /** Loads the list, and asks for the health of the first provider. */
  load(): Promise<void> {
    this.#loading = this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    await Promise.all([this.#loadList(), this.checkHealth()]);
  }

  /** A sick server takes its time to say so: the names do not wait for that. */
  async #loadList(): Promise<void> {
    const list = await this.api.models({ limit: 200 });
    this.set({ ...this.value, models: list.results, default: list.default });
  }

  /** Waits a moment for what is being asked: who writes at once is not to wait for a sick server. */
  async settled(): Promise<void> {
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    await Promise.race([this.#loading?.catch(() => undefined), patience]);
  }

  async checkHealth(): Promise<void> {
    const { status } = await this.api.health();
    this.set({ ...this.value, isHealthy: status === "healthy" });
  }

  /** Has the server ask its providers, and loads the list again. */
  async refresh(): Promise<void> {
    await this.api.syncModels();
    await this.load();
  }
}

/** Returns the model that a session's `model` means, by its id or its bare name. */
export function find({ models }: Models, name: string | null | undefined): Model | undefined {
  return models.find(({ id }) => id === name) ?? models.find((model) => model.name === name);
}

/** Returns the id of the echo model where nothing else can answer: it needs no model server. */
export function standIn(known: Models): string | undefined {
  if (known.isHealthy !== false) return undefined;
  return known.models.find(({ provider }) => provider === ECHO)?.id;
}
