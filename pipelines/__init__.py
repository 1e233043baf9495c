"""The four applications, one package each, and the little that they share: the modules of this folder."""

from pipelines.start import import_tensorflow

import_tensorflow()
