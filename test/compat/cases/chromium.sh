# chromium.sh - chromium without a screen, which brings its own malloc: the preload must not disturb
# needs: chromium
# packages: chromium
# own: chromium chrome_crashpad_handler exe
# timeout: 90
echo '<p id=p>old</p><script>let a = []; for (let i = 0; i < 1e5; i++) a.push("x".repeat(i % 50));
document.getElementById("p").textContent = "new " + a.join("").length</script>' >page.html
run chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
    --user-data-dir="$PWD/profile" \
    --virtual-time-budget=3000 --dump-dom "file://$PWD/page.html" 2>log |
    grep -o 'id="p">[^<]*'
