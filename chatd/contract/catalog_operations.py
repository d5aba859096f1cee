"""The routes of models and presets (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import CURSOR, IF_MATCH, IS_ACTIVE, LIMIT, Answer, Operation
from chatd.contract.session_operations import ERASED, NEW_SESSION

PRESET = Answer(about="The preset.", schema="Preset", headers=("ETag",))

MODEL_OPERATIONS = [
    Operation(
        method="GET",
        path="models/",
        id="listModels",
        tag="Models",
        title="List models",
        about="What is known, without waiting for a provider.",
        parameters=(IS_ACTIVE, LIMIT, CURSOR),
        answers={200: Answer(about="A page of models.", schema="ModelList")},
    ),
    Operation(
        method="POST",
        path="models/sync_models/",
        id="syncModels",
        tag="Models",
        title="Ask every provider now",
        about="A dead provider does not fail the others. Calls at the same time share one run.",
        body="nothing",
        answers={200: Answer(about="What changed.", schema="SyncReport")},
    ),
    Operation(
        method="PATCH",
        path="models/{model_id}/",
        id="updateModel",
        tag="Models",
        title="Change a model for everybody",
        about="For administrators.",
        body="model",
        answers={200: Answer(about="The model.", schema="Model")},
    ),
]

PRESET_OPERATIONS = [
    Operation(
        method="GET",
        path="presets/",
        id="listPresets",
        tag="Presets",
        title="List presets",
        about="Own ones, public ones, and those of every source, by name.",
        parameters=(LIMIT, CURSOR),
        answers={200: Answer(about="A page of presets.", schema="PresetList")},
    ),
    Operation(
        method="POST",
        path="presets/",
        id="createPreset",
        tag="Presets",
        title="Keep a new preset",
        body="new_preset",
        answers={201: PRESET.replace(about="The new preset.", headers=("ETag", "Location"))},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="GET",
        path="presets/{preset_id}/",
        id="getPreset",
        tag="Presets",
        title="Read a preset",
        answers={200: PRESET},
    ),
    Operation(
        method="PATCH",
        path="presets/{preset_id}/",
        id="updatePreset",
        tag="Presets",
        title="Change an own preset",
        about="Settings merge key by key; null removes one.",
        parameters=(IF_MATCH,),
        body="preset",
        answers={200: PRESET},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="DELETE",
        path="presets/{preset_id}/",
        id="deletePreset",
        tag="Presets",
        title="Erase an own preset",
        parameters=(IF_MATCH,),
        answers={204: ERASED},
        errors=(errors.ReadOnly,),
    ),
    Operation(
        method="POST",
        path="presets/{preset_id}/create_session_from_preset/",
        id="createSessionFromPreset",
        tag="Presets",
        title="Make a session from a preset",
        body="from_preset",
        answers={201: NEW_SESSION},
    ),
]
