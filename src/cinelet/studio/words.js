// The page's words. English stands where it is used and is the key; `ZH` holds the Chinese. Nothing else speaks to the reader.

import { keep } from "./keep.js";

export const LANGUAGES = ["en", "zh"];
export const language = keep.get("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** `text` in the reader's language, `{name}` replaced from `values`. */
export function t(text, values = {}) {
  const said = language === "zh" ? (ZH[text] ?? text) : text;
  return said.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Translate everything below `root` that is marked with `data-t`. */
export function translate(root) {
  if (language === "en") return;
  for (const node of root.querySelectorAll("[data-t]")) {
    const names = node.dataset.t.split(" ").filter(Boolean);
    for (const name of names) node.setAttribute(name, t(node.getAttribute(name)));
    if (names.length === 0) node.textContent = t(node.textContent);
  }
}

/** About how long, in words: whole seconds below a minute, then minutes, then hours. */
export function duration(seconds) {
  if (seconds < 60) return t("{n} s", { n: seconds < 20 ? Math.ceil(seconds) : Math.round(seconds / 5) * 5 });
  if (seconds < 5400) return t("{n} min", { n: Math.round(seconds / 60) });
  return t("{n} h", { n: Math.round(seconds / 3600) });
}

/** How long ago, in words. Both instants are unix seconds. */
export function ago(at, now) {
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "narrow" });
  const minutes = Math.round((at - now) / 60);
  if (minutes > -1) return t("just now");
  if (minutes > -60) return format.format(minutes, "minute");
  if (minutes > -60 * 24) return format.format(Math.round(minutes / 60), "hour");
  return format.format(Math.round(minutes / 60 / 24), "day");
}

/** What a stage of the work does, for the reader. An unknown one is shown by its own name. */
export function stageName(stage) {
  return STAGES[stage] === undefined ? stage.replaceAll("_", " ") : t(STAGES[stage]);
}

/** What the reader can do about a failed video, by `error.code`. */
export function adviceFor(code) {
  return t(ADVICE[code] ?? "Trying again may help. If it keeps failing, the server's log says more.");
}

/** One line for a request that did not come through. */
export function refusalText(error) {
  if (error.status === 0) return t("The server cannot be reached. Nothing was lost; try again in a moment.");
  if (error.status === 401) return t("This server asks for an API key. Enter it at the top of the page.");
  if (error.retryAfterS !== null) return `${error.message} ${t("Try again in {time}.", { time: duration(error.retryAfterS) })}`;
  return error.message;
}

const STAGES = {
  text_encode: "Reading the sentence",
  denoise_high: "Finding the shapes",
  denoise_low: "Drawing the details",
  vae_decode: "Developing the frames",
  video_encode: "Writing the clip",
  upload: "Putting it away",
};

const ADVICE = {
  resource_exhausted: "The machine has too little memory for this clip. A smaller size or fewer frames will fit.",
  out_of_memory: "The machine has too little memory for this clip. A smaller size or fewer frames will fit.",
  numerical_failure: "The numbers ran away while drawing. Another seed usually helps.",
  storage_unavailable: "The clip was made but could not be stored. Try again a little later.",
  moderation_blocked: "This server's rules do not allow the sentence. Say it another way.",
  expired: "It waited longer than it was allowed to. Try again, perhaps as a draft.",
};

/** Sentences to begin with; the model that ships with cinelet can draw all of them. */
export const IDEAS = {
  en: [
    "A red balloon rising at sunset",
    "A robot dancing in a neon city at night",
    "A white rocket rising over a snowy field",
    "An orange cat walking to the right in the park",
    "A blue fish swimming to the left in the sea",
    "A yellow star spinning in the night sky",
    "A red car driving along a mountain road",
    "A panda bouncing in the snow",
  ],
  zh: [
    "一只红色的气球在日落时升起",
    "一个机器人在霓虹城市里跳舞",
    "一枚白色火箭从雪地里升空",
    "一只橙色的猫在公园里向右走",
    "一条蓝色的鱼在海里向左游",
    "一颗黄色的星星在夜空中旋转",
    "一辆红色的汽车沿着山路行驶",
    "一只熊猫在雪地里蹦跳",
  ],
};

const ZH = {
  "Skip to your clips": "跳到你的短片",
  "Notify me when a clip is ready": "短片完成时通知我",
  "Switch between light and dark": "切换浅色与深色",
  "The connection is lost. Your clips go on being made; this page is trying to reach the server again.": "连接已断开。短片仍在制作中；页面正在重新连接服务器。",
  "This server asks for an API key.": "此服务器需要 API 密钥。",
  "Use this key": "使用此密钥",
  "It stays in this tab and is forgotten when you close it.": "密钥只留在此标签页，关闭后即忘记。",
  "This key was not accepted.": "此密钥未被接受。",
  "One sentence in, a short video out.": "写一句话，得一段短片。",
  "What should happen in the clip?": "短片里应该发生什么？",
  "A red balloon rising at sunset": "一只红色的气球在日落时升起",
  "Give me an idea": "给我一个点子",
  "{n} characters": "{n} 个字",
  "about {n} of 512 tokens": "约 {n} / 512 个词元",
  "only the first 512 tokens count": "只有前 512 个词元有效",
  "Write a sentence first.": "请先写一句话。",
  "Leave something out": "不要出现的内容",
  "What should not be in the clip?": "短片里不要出现什么？",
  "blurry, text, extra limbs": "模糊，文字，多余的肢体",
  Quality: "质量",
  Draft: "草稿",
  Standard: "标准",
  Final: "成品",
  "How many": "数量",
  "1 clip": "1 段",
  "4 different": "4 段不同",
  "4 alike": "4 段相似",
  "The same sentence from four seeds in a row": "同一句话，用四个连续的种子",
  "Four close relatives of the seed below": "下面种子的四个近亲",
  Seed: "种子",
  "Roll a new seed": "换一个新种子",
  "Keep this seed": "锁定此种子",
  "Copy the seed": "复制种子",
  "The same seed and settings give the same clip.": "相同的种子和设置得到相同的短片。",
  "A seed is a whole number from 0 to 9223372036854775807.": "种子是 0 到 9223372036854775807 之间的整数。",
  Advanced: "高级",
  "Empty means: as the model likes it.": "留空表示由模型决定。",
  Model: "模型",
  Size: "尺寸",
  Sampler: "采样器",
  Automatic: "自动",
  Steps: "步数",
  Guidance: "引导强度",
  Frames: "帧数",
  "Frames per second": "每秒帧数",
  "Flow shift": "流偏移",
  Decoder: "解码器",
  Full: "完整",
  "Half precision": "半精度",
  "Tiny, the quickest": "微型，最快",
  "Cached steps": "缓存步",
  None: "无",
  Few: "少",
  Many: "多",
  Style: "风格",
  "Begin with a picture": "从一张图片开始",
  "Began with": "开头图片",
  "The picture that the clip began with": "短片开头的图片",
  "Without a picture": "不用图片",
  "The settings are in the form, but the picture is gone: {why}": "设置已填入表单，但图片已不在：{why}",
  Strength: "强度",
  "Say “{trigger}” in the sentence.": "请在句子里写上“{trigger}”。",
  "Back to the model's defaults": "恢复模型默认值",
  "Make the clip": "制作短片",
  "Make four clips": "制作四段短片",
  "In the making": "制作中",
  "Your clips": "你的短片",
  Search: "搜索",
  "Search your clips": "搜索你的短片",
  Favourites: "收藏",
  Favourite: "收藏",
  "No clip matches.": "没有符合的短片。",
  "Nothing here yet.": "这里还没有内容。",
  "Write a sentence, press the button, and watch the clip appear out of noise.": "写一句话，按下按钮，看短片从噪声中浮现。",
  "Show older clips": "显示更早的短片",
  Cancel: "取消",
  "Cancel: {prompt}": "取消：{prompt}",
  "Try again": "重试",
  "Change the settings": "修改设置",
  Remove: "移除",
  "AI-generated": "AI 生成",
  Close: "关闭",
  "Download MP4": "下载 MP4",
  "Reuse settings": "沿用设置",
  "Four more like this": "再来四段相似的",
  Delete: "删除",
  "Remix: the same clip, another sentence": "改编：同一段短片，换一句话",
  "The new sentence": "新的句子",
  "Make the remix": "制作改编",
  Settings: "设置",
  "Make it from code": "用代码制作",
  "Language of the example": "示例语言",
  Copy: "复制",
  "Copied.": "已复制。",
  "Copying did not work; select the text instead.": "复制失败，请手动选择文本。",
  "Copy as JSON": "复制为 JSON",
  Undo: "撤销",
  "Clip deleted.": "短片已删除。",
  "The clip could not be deleted: {why}": "无法删除短片：{why}",
  "Hold the preview still": "定住预览",
  Unfinished: "未完成",
  "Added to the queue.": "已加入队列。",
  "Four clips added to the queue.": "四段短片已加入队列。",
  "The settings are in the form.": "设置已填入表单。",
  "{n} s": "{n} 秒",
  "{n} min": "{n} 分钟",
  "{n} h": "{n} 小时",
  "about {time}": "约 {time}",
  "ready in about {time}": "约 {time} 后完成",
  "just now": "刚刚",
  "Next in line": "下一个",
  "{n} ahead": "前面还有 {n} 个",
  Waiting: "等待中",
  "Getting ready": "准备中",
  "step {n} of {total}": "第 {n} / {total} 步",
  "Progress: {prompt}": "进度：{prompt}",
  Cancelled: "已取消",
  "This one did not work": "这一段没有成功",
  "Cancelled: {prompt}": "已取消：{prompt}",
  "{n} % done: {prompt}": "已完成 {n}%：{prompt}",
  "Started: {prompt}": "已开始：{prompt}",
  "Ready: {prompt}": "已完成：{prompt}",
  "Failed: {prompt}": "失败：{prompt}",
  "Your clip is ready": "短片已完成",
  "Play: {prompt}": "播放：{prompt}",
  "from the cache": "来自缓存",
  "The clip cannot be loaded: {why}": "无法加载短片：{why}",
  "Notifications are blocked for this page in the browser's settings.": "浏览器设置已屏蔽此页面的通知。",
  "You will be notified when a clip is ready.": "短片完成时会通知你。",
  "Negative prompt": "反向提示词",
  Length: "时长",
  "Made in": "耗时",
  Variation: "变体",
  "Reading the sentence": "正在读句子",
  "Finding the shapes": "正在勾勒轮廓",
  "Drawing the details": "正在描绘细节",
  "Developing the frames": "正在显影",
  "Writing the clip": "正在写入短片",
  "Putting it away": "正在保存",
  "The server cannot be reached. Nothing was lost; try again in a moment.": "无法连接服务器。没有丢失任何内容，请稍后再试。",
  "This server asks for an API key. Enter it at the top of the page.": "此服务器需要 API 密钥，请在页面顶部输入。",
  "Try again in {time}.": "请在 {time} 后重试。",
  "Trying again may help. If it keeps failing, the server's log says more.": "重试可能有用。如果一直失败，请查看服务器日志。",
  "The machine has too little memory for this clip. A smaller size or fewer frames will fit.": "机器内存不足以制作这段短片。请减小尺寸或帧数。",
  "The numbers ran away while drawing. Another seed usually helps.": "绘制时数值失控。换一个种子通常有效。",
  "The clip was made but could not be stored. Try again a little later.": "短片已制作但无法保存。请稍后重试。",
  "This server's rules do not allow the sentence. Say it another way.": "此服务器的规则不允许这句话。请换一种说法。",
  "It waited longer than it was allowed to. Try again, perhaps as a draft.": "等待时间超过允许的上限。请重试，也可以先做草稿。",
};
