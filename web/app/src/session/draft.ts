/** A session that is not there yet: what it will be made with at the first message. */
import type { NewSession, Preset } from "@chatd/client";
import { useCallback, useEffect, useState } from "react";
import { putFirst, titleFor } from "../first";
import { useHouse, useModels } from "../house";
import { standIn } from "../models";
import { complain } from "../notices";
import { address, go } from "../route";

export interface Draft {
  readonly preset: Preset | undefined;
  /** What will answer; null: the default model. */
  readonly model: string | null;
  /** The echo model answers, as no model server does. */
  readonly isStandIn: boolean;
  readonly setModel: (id: string | null) => void;
  /** Makes the session and goes there; the first message is sent by its thread. */
  readonly start: (text: string) => Promise<void>;
}

export function useDraft(presetId: string | null): Draft {
  const { chatd, models, list } = useHouse();
  const known = useModels();
  const preset = usePreset(presetId);
  const [chosen, setModel] = useState<string | null | undefined>(undefined);
  const echo = chosen === undefined && !preset?.model ? standIn(known) : undefined;
  const start = useCallback(
    async (text: string) => {
      try {
        await models.settled();
        const model = chosen !== undefined ? chosen : (preset?.model ?? standIn(models.value));
        const session = await list.create(made(text, model, presetId));
        putFirst(session.id, text);
        go(address("session", session.id));
      } catch (error) {
        complain(error);
        throw error;
      }
    },
    [chatd, models, list, chosen, preset, presetId],
  );
  const model = chosen !== undefined ? chosen : (preset?.model ?? echo ?? null);
  return { preset, model, isStandIn: echo !== undefined, setModel, start };
}

function made(text: string, model: string | null | undefined, presetId: string | null): NewSession {
  return {
    title: titleFor(text),
    ...(model ? { model } : {}),
    ...(presetId ? { preset_id: presetId } : {}),
  };
}

function usePreset(id: string | null): Preset | undefined {
  const { chatd } = useHouse();
  const [preset, setPreset] = useState<Preset>();
  useEffect(() => {
    setPreset(undefined);
    if (id) chatd.api.preset(id).then(setPreset, complain);
  }, [chatd, id]);
  return preset?.id === id ? preset : undefined;
}
