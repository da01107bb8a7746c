"""What is set seldom: steps, guidance, and what of the region is kept."""

from __future__ import annotations

from PyQt6.QtWidgets import QFormLayout, QWidget

from daw_bridge.messages.parameters import PROMPT
from engine.types import Editor, Highs, SamplerName, Stereo
from ui.look.scale import Space
from ui.model.draft import DraftModel
from ui.model.task_fields import fields_of
from ui.widgets.say.fields import ChoiceField, FlagField, NumberField, TextField, WholeField
from ui.widgets.say.parts import text_of


class MoreRows(QWidget):
    """One row for each parameter; those that the task has no use for are not shown."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        self._draft = draft
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(Space.SMALL)
        self._form.setVerticalSpacing(Space.SMALL)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._fields: dict[str, QWidget] = {}
        self._add_sampling()
        self._add_keeping()
        draft.changed.connect(self._show)
        self._show()

    def _add_sampling(self) -> None:
        draft = self._draft
        tip = self.tr("More steps take longer and sound finer, up to a point.")
        self._add(self.tr("Steps"), WholeField(draft, "steps", self.tr("Steps"), tip))
        tip = self.tr("How literally the prompt is taken; much of it sounds harsh.")
        self._add(self.tr("Guidance"), NumberField(draft, "guidance", self.tr("Guidance"), tip, step=0.5))
        tip = self.tr("Tames the harshness of strong guidance.")
        text = self.tr("Taming")
        self._add(text, NumberField(draft, "guidance_rescale", text, tip))
        tip = self.tr("The way from noise to sound; they differ in speed and in character.")
        self._add(self.tr("Sampler"), ChoiceField(draft, "sampler", self.tr("Sampler"), tip, _SAMPLERS))
        tip = self.tr("Chance in each step, of samplers that can: livelier, less exact.")
        self._add(self.tr("Chance"), NumberField(draft, "eta", self.tr("Chance"), tip, step=0.05))

    def _add_keeping(self) -> None:
        draft = self._draft
        tip = self.tr("How a region is changed: on the direct way, from its own noise, or from new noise.")
        self._add(self.tr("Way"), ChoiceField(draft, "editor", self.tr("Way"), tip, self._editors()))
        tip = self.tr("Keep when sounds begin.")
        self._add("", FlagField(draft, "keep_rhythm", self.tr("Keep the rhythm"), tip))
        tip = self.tr("Keep which notes sound.")
        self._add("", FlagField(draft, "keep_pitch", self.tr("Keep the notes"), tip))
        tip = self.tr("Keep how loud the region is from moment to moment.")
        self._add("", FlagField(draft, "keep_level", self.tr("Keep the dynamics"), tip))
        tip = self.tr("Bring takes to the loudness of the region.")
        self._add("", FlagField(draft, "match_level", self.tr("Match the loudness"), tip))
        tip = self.tr("What of a stereo region is made anew: its middle, or both sides.")
        self._add(self.tr("Stereo"), ChoiceField(draft, "stereo", self.tr("Stereo"), tip, self._stereo()))
        tip = self.tr("What is heard above the highest frequency that the model knows.")
        self._add(self.tr("Highs"), ChoiceField(draft, "highs", self.tr("Highs"), tip, self._highs()))
        tip = self.tr("The model that makes the highs; it must reach higher than the other.")
        text = self.tr("Model of highs")
        self._add(text, TextField(draft, "highs_model", text, tip, "", PROMPT.most))

    def _add(self, text: str, field: QWidget) -> None:
        name = field.objectName()
        self._fields[name] = field
        if not text:
            self._form.addRow(field)
            return
        label = text_of(text)
        label.setBuddy(field)
        handling = getattr(field, "handling", None)
        if handling is not None:
            handling.watch(label)
        self._form.addRow(label, field)

    def _show(self) -> None:
        draft = self._draft.draft
        shown = fields_of(draft.task)
        if draft["highs"] != Highs.MODEL.value:
            shown -= {"highs_model"}
        for name, field in self._fields.items():
            self._form.setRowVisible(field, name in shown)

    def _editors(self) -> dict[str, str]:
        return {
            Editor.DIRECT.value: self.tr("Direct"),
            Editor.INVERT.value: self.tr("Invert"),
            Editor.RENOISE.value: self.tr("New noise"),
        }

    def _stereo(self) -> dict[str, str]:
        words = {
            Stereo.MID_SIDE: self.tr("Middle and sides"),
            Stereo.CHANNELS: self.tr("Each channel"),
            Stereo.MID: self.tr("Middle only"),
        }
        return {one.value: text for one, text in words.items()}

    def _highs(self) -> dict[str, str]:
        words = {
            Highs.FOLLOW: self.tr("Follow the new sound"),
            Highs.KEEP: self.tr("Stay as they were"),
            Highs.DROP: self.tr("Go"),
            Highs.MODEL: self.tr("Made by a model"),
        }
        return {one.value: text for one, text in words.items()}


_SAMPLERS = {
    SamplerName.DDPM.value: "DDPM",
    SamplerName.DDIM.value: "DDIM",
    SamplerName.DPMPP_2M.value: "DPM++ 2M",
    SamplerName.UNIPC.value: "UniPC",
}
