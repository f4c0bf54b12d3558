// The theme chosen earlier, set before the first paint; without a choice the system's stands. A classic script on purpose:
// modules run after the page was drawn once.
(() => {
  try {
    const theme = localStorage.getItem("cinelet.theme");
    if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme);
  } catch {
    // Storage is closed to this page; the system's theme stands.
  }
})();
