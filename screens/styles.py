"""The theme and the style sheet: one string, as short as it can be, since parsing it costs."""

from __future__ import annotations

from textual.theme import Theme

from screens.look import INK

THEME = Theme(
    name="opsdeck",
    primary=INK["accent"],
    secondary=INK["wait"],
    accent=INK["accent"],
    foreground=INK["text"],
    background=INK["background"],
    surface=INK["surface"],
    panel=INK["panel"],
    success=INK["ok"],
    warning=INK["warn"],
    error=INK["bad"],
    dark=True,
    variables={
        "border": INK["accent"],
        "border-blurred": INK["line"],
        "scrollbar": INK["line"],
        "scrollbar-hover": INK["faint"],
        "scrollbar-active": INK["accent"],
        "scrollbar-background": INK["background"],
        "scrollbar-background-hover": INK["background"],
        "scrollbar-background-active": INK["background"],
        "scrollbar-corner-color": INK["background"],
        "input-cursor-background": INK["accent"],
        "input-cursor-foreground": INK["background"],
    },
)

CSS = f"""
Screen {{ background: $background; color: $foreground; }}
RowTable, Sheet, LogView {{ scrollbar-size-vertical: 1; background: $background; }}
.pane {{ border-top: solid {INK["line"]}; border-title-color: {INK["dim"]};
  border-title-style: bold; height: 1fr; }}
.pane:focus {{ border-top: solid {INK["accent"]}; border-title-color: {INK["accent"]}; }}
Dialog {{ align: center middle; background: {INK["background"]} 60%; }}
#box {{ width: 90%; height: auto; max-height: 100%; padding: 1 2; background: $panel;
  border: round {INK["accent"]}; border-title-color: {INK["accent"]}; border-title-style: bold; }}
#box.danger {{ border: round {INK["bad"]}; border-title-color: {INK["bad"]}; }}
Dialog.-low #box {{ padding: 0 2; }}
#box.tall {{ height: 90%; }}
#box Sheet {{ background: $panel; height: 1fr; scrollbar-background: $panel; }}
#choices {{ height: 1; margin-top: 1; width: 100%; }}
#box Input {{ background: {INK["background"]}; padding: 0 1; }}
Toast, SearchIcon {{ display: none; }}
"""
