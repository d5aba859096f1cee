import type { Translations } from "..";
import { shell } from "./shell";
import { thread } from "./thread";
import { views } from "./views";

export const german: Translations = { ...shell, ...views, ...thread };
