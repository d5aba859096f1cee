// Runs before the first paint: who has chosen a theme sees no other one flash by.
(function () {
  var theme = null;
  try {
    theme = localStorage.getItem("chatd.theme");
  } catch (error) {
    // Storage is forbidden: the system's theme.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
