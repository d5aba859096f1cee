"""What users do with models and presets: list, resolve, synchronise."""

from chatd.catalog.models import Models as Models
from chatd.catalog.presets import Presets as Presets
