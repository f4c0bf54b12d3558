"""What sentences are made of: templates of three kinds and the frames around them, those that training never shows apart.

Slots. np: the subject with its determiner and colour; natt: the same with a participle in front; nb: without determiner;
n0 and head: np and nb without colour; col: the colour. ing, fin, base: the motion; idle, idles: a verb that says nothing.
at: the scene; lead: the scene as an opening; kw: the scene as a keyword; says: the scene as a clause.
Chinese has v (a motion that bears 正在 and 的), f (any motion, ending the sentence), in (the scene with 在 or 沿着) and one (a
numeral with its measure word).
"""

from __future__ import annotations

from training.pocket.speaker import Words

Templates = dict[str, Words]

EN_TRAINING: Templates = {
    "phrase": (
        "{np} {ing} {at}", "{np} {ing} {at}", "{np} {ing} {at}", "{np} {ing} {at}", "{np} {at} {ing}", "{np} {ing}, {at}",
        "{np} that is {ing} {at}", "{np} that {fin} {at}", "{natt} {at}", "{natt} {at}", "{np} {at}, {ing}", "{lead}, {np} {ing}",
        "{np} that can {base} {at}", "{np} {ing} while {says}", "{n0} {ing} {at}, all in {col}", "{nb} {ing} {at}",
        "{np} {ing}", "{np} {ing}", "{np} {ing}", "{np} that is {ing}", "{np} that {fin}", "{natt}", "{nb} {ing}",
        "{np} {at}", "{np} {at}", "{np} {at}", "{np} {idle} {at}", "{np}, {at}", "{nb} {at}", "{np}; {says}",
        "{np}", "{np}", "{np} {idle}", "{nb}",
    ),
    "clause": (
        "{np} {fin} {at}", "{np} {fin} {at}", "{np} {fin} {at}", "{np} is {ing} {at}", "{np} is {ing} {at}", "{np} is {ing} {at}",
        "{lead}, {np} {fin}", "{lead}, {np} is {ing}", "{lead} {np} is {ing}", "{says} as {np} {fin}", "{says} and {np} is {ing}",
        "{np} {fin} while {says}", "{np} keeps {ing} {at}", "{np} starts to {base} {at}", "{np} begins {ing} {at}",
        "there is {np} {ing} {at}", "{lead}, there is {np} {ing}", "{np} can be seen {ing} {at}",
        "{n0} is {ing} {at} and the colour is {col}", "{np} was {ing} {at}", "{np} will {base} {at}",
        "{np} {fin}", "{np} {fin}", "{np} is {ing}", "{np} is {ing}", "{np} keeps {ing}", "{np} starts to {base}", "there is {np} {ing}",
        "the {head} is {col} and is {ing}", "{np} was {ing}",
        "{np} is there {at}", "{np} can be seen {at}", "there is {np} {at}", "{lead} there is {np}", "{lead}, there is {np}",
        "{np} is {idle} {at}", "{np} {idles} {at}", "the {head} {at} is {col}",
        "there is {np}", "here is {np}", "{np} {idles}", "the {head} is {col}",
    ),
    "keywords": (
        "{nb}, {kw}, {ing}", "{nb}, {ing}, {kw}", "{kw}, {nb}, {ing}", "{nb} {ing}, {kw}", "{head}, {col}, {ing}, {kw}",
        "{kw}: {nb} {ing}", "{ing}, {nb}, {kw}", "{nb} {ing} {kw}", "{kw}, {nb} {ing}",
        "{nb}, {ing}", "{head}, {col}, {ing}", "{ing} {nb}",
        "{nb}, {kw}", "{kw}, {nb}", "{head}, {kw}, {col}", "{nb} {kw}",
        "{nb}", "{head}, {col}", "{col} {head}",
    ),
}  # fmt: skip
EN_FRAMES: Templates = {
    "phrase": (
        "a video of {}", "an animation of {}", "a short clip showing {}", "a video showing {}", "show me {}", "we see {}", "a clip of {}",
        "make a video of {}", "please draw {}", "generate {}", "create an animation of {}", "i want to see {}", "a storybook scene of {}",
        "cartoon of {}", "a cinematic shot of {}", "imagine {}", "an animated clip with {}", "watch {}", "a short animation of {}",
        "can you make a video of {}?", "i would like a video of {}", "a picture book animation showing {}", "draw me {}", "a scene with {}",
        "high quality video of {}", "a movie of {}", "a gif of {}", "film {}", "please show {}", "look at {}", "cute video of {}",
    ),
    "clause": (
        "in this video, {}", "an animation in which {}", "a scene where {}", "a video where {}", "in the video {}", "make a clip where {}",
        "show how {}", "a cartoon in which {}", "once upon a time, {}", "a short film where {}", "please show that {}", "in this scene, {}",
    ),
    "keywords": ("video: {}", "prompt: {}", "animation, {}", "short clip, {}"),
}  # fmt: skip
EN_HELD_OUT: Templates = {
    "phrase": (
        "{np} busy {ing} {at}", "the sight of {np} {ing} {at}", "just {np}, {ing} somewhere {at}", "nothing but {natt} {at}",
        "{np} busy {ing}", "the sight of {np} {ing}", "nothing but {np} {at}", "the sight of {np} {at}", "nothing but {np}",
    ),
    "clause": (
        "{lead} you may spot {np} {ing}", "look how {np} {fin} {at}", "{says}, yet {np} still {fin}", "what you notice {at} is {np} {ing}",
        "look how {np} {fin}", "{lead} you may spot {np}", "someone has placed {np} {at}", "what you notice is {np}",
    ),
    "keywords": (
        "subject: {nb}; action: {ing}; place: {kw}", "who: {nb} / what: {ing} / where: {kw}", "subject: {nb}; action: {ing}",
        "who: {nb} / where: {kw}", "subject: {nb}",
    ),
}  # fmt: skip
EN_FRAMES_HELD_OUT: Templates = {
    "phrase": (
        "footage featuring {}", "picture this: {}", "my daughter asked for {}", "let the screen fill with {}", "a hand-made reel about {}",
        "it would be great to get {}",
    ),
    "clause": ("the opening shot: {}", "tell a story: {}", "believe me, {}"),
    "keywords": ("tags = {}",),
}  # fmt: skip

ZH_TRAINING: Templates = {
    "phrase": (
        "{in}{v}的{nb}", "{in}{v}的{np}", "{one}{in}{v}的{nb}", "{one}{in}{v}的{nb}", "{at}{v}的{nb}", "{one}正在{at}{v}的{nb}",
        "{at}，正在{v}的{nb}", "{at}{one}{v}的{nb}", "{at}的{nb}正在{v}", "{v}的{nb}，{kw}", "{at}，{v}的{np}",
        "{v}的{nb}", "{one}{v}的{nb}", "{one}{v}的{nb}", "{one}正在{v}的{nb}", "正在{v}的{nb}",
        "{at}的{nb}", "{at}的{nb}", "{at}的{np}", "在{at}的{nb}", "{one}在{at}的{nb}", "{one}在{at}{idle}的{nb}",
        "{np}", "{np}", "{nb}", "{one}{idle}的{nb}",
    ),
    "clause": (
        "{np}{in}{f}", "{np}{in}{f}", "{np}{in}{v}", "{np}{in}{v}", "{np}正在{at}{v}", "{np}正在{at}{v}", "{at}，{np}正在{v}",
        "{at}，{np}{f}",
        "在{at}，{np}{f}", "{in}，{np}正在{v}", "{at}的{nb}{f}", "{at}的{nb}正在{v}", "{at}有{np}在{v}", "{at}，有{np}正在{v}",
        "{at}有{one}{v}的{nb}",
        "{says}，{np}正在{v}", "{says}，{np}{f}", "{np}{f}，{says}", "{np}正在{v}，背景是{kw}", "{np}在{at}开始{v}", "{at}{np}在{v}",
        "{n0}{in}{v}，它是{col}的", "{head}是{col}的，正在{at}{v}", "{at}，{one}{nb}在那里{v}", "{np}于{at}{v}", "{np}在{at}，正在{v}",
        "{np}{f}", "{np}{f}", "{np}正在{v}", "{np}正在{v}", "{np}在{v}", "有{np}在{v}", "{head}是{col}的，正在{v}", "{np}开始{v}",
        "{np}在{at}", "{np}在{at}", "{at}有{np}", "{at}有{np}", "{says}，有{np}", "{np}正在{at}{idle}", "在{at}有{np}", "{np}出现在{at}",
        "{head}在{at}，是{col}的",
        "这是{np}", "有{np}", "{np}正在{idle}", "{head}是{col}的",
    ),
    "keywords": (
        "{nb}，{kw}，{v}", "{nb}，{v}，{kw}", "{kw}，{nb}，{v}", "{kw}，{v}的{nb}", "{nb}{v}，{kw}", "{head}，{col}，{v}，{kw}",
        "{nb}、{v}、{kw}", "{nb} {v} {kw}",
        "{kw}，{nb}{v}", "{kw} {nb} {v}", "{v}的{nb}，{kw}背景", "{nb}{kw}{v}",
        "{nb}，{v}", "{nb} {v}", "{head}，{col}，{v}", "{nb}{v}",
        "{nb}，{kw}", "{kw}，{nb}", "{nb} {kw}", "{kw}{nb}", "{head}，{col}，{kw}",
        "{nb}", "{head}，{col}", "{col}{head}",
    ),
}  # fmt: skip
ZH_FRAMES: Templates = {
    "phrase": (
        "一段关于{}的视频", "画面中是{}", "给我看{}", "请画{}", "生成{}", "我想看{}", "一段视频：{}", "视频里有{}", "画一个视频：{}",
        "帮我做{}的动画", "{}的动画",
        "{}的视频", "动画片：{}", "请生成{}的短视频", "来一段{}的视频", "制作{}的动画", "镜头里是{}", "做一个{}的小视频", "绘本里的{}",
        "想看{}的动画片",
    ),
    "clause": (
        "一段{}的视频", "画面中，{}", "视频里，{}", "请生成{}的视频", "我想看{}", "一段动画，{}", "生成一段视频：{}", "给我看{}的动画",
        "镜头中，{}", "请画出{}",
        "帮我生成{}的视频", "短片：{}", "视频内容：{}", "做一段{}的动画", "故事里，{}", "画面：{}",
    ),
    "keywords": ("视频：{}", "关键词：{}", "动画，{}", "短视频，{}"),
}  # fmt: skip
ZH_HELD_OUT: Templates = {
    "phrase": (
        "{nb}在{at}{v}的模样", "身处{at}、{v}的{nb}", "{nb}{v}的模样，就在{at}", "{nb}{v}的模样", "传说中{v}的{nb}", "身处{at}的{nb}",
        "传说中的{nb}",
    ),
    "clause": (
        "只见{np}在{at}{f}", "瞧，{at}有{np}{v}呢", "{says}，只见{np}{f}", "抬眼望去，{np}正在{at}{v}",
        "只见{np}{f}", "瞧，{np}{v}呢", "只见{at}有{np}", "抬眼望去，{at}出现了{np}", "瞧，是{np}",
    ),
    "keywords": ("主角：{nb}；动作：{v}；地点：{kw}", "主角：{nb}；动作：{v}", "主角：{nb}；地点：{kw}", "主角：{nb}"),
}  # fmt: skip
ZH_FRAMES_HELD_OUT: Templates = {
    "phrase": ("孩子说要{}", "麻烦你弄出{}", "拍一部短片，主题为{}"),
    "clause": ("脑海里浮现这样的场景：{}", "大家快来看呀，{}", "老师讲道：{}"),
    "keywords": ("标签＝{}",),
}  # fmt: skip

TEMPLATES: dict[tuple[str, bool], Templates] = {
    ("en", False): EN_TRAINING, ("en", True): EN_HELD_OUT, ("zh", False): ZH_TRAINING, ("zh", True): ZH_HELD_OUT,
}  # fmt: skip
FRAMES: dict[tuple[str, bool], Templates] = {
    ("en", False): EN_FRAMES, ("en", True): EN_FRAMES_HELD_OUT, ("zh", False): ZH_FRAMES, ("zh", True): ZH_FRAMES_HELD_OUT,
}  # fmt: skip


def all_templates(language: str, *, held_out: bool) -> frozenset[str]:
    """Every template and frame of a language on one side of the split."""
    tables = (TEMPLATES[language, held_out], FRAMES[language, held_out])
    return frozenset(text for table in tables for texts in table.values() for text in texts)
