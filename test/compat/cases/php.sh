# php.sh - php with curl and mysqli, plugins that are loaded with RTLD_DEEPBIND
# needs: php8.2
# packages: php8.2-cli php8.2-curl php8.2-mysql
# serves: php8.2
# quick: yes
run php8.2 -d memory_limit=-1 -r '
    echo function_exists("curl_version") ? "curl " : "no curl ", curl_version()["version"], "\n";
    echo strlen(serialize(range(1, 300000))), "\n";
    echo class_exists("mysqli") ? "mysqli\n" : "no mysqli\n";
    $handle = curl_init("file:///etc/hostname");
    curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
    echo curl_exec($handle) !== false ? "read\n" : "not read\n";
    curl_close($handle);
    $link = mysqli_init();
    try { @mysqli_real_connect($link, "127.0.0.1", "u", "p", "d", 1); } catch (Exception $e) {
        echo get_class($e), "\n";
    }'
USE_ZEND_ALLOC=0 run php8.2 -r '
    for ($i = 0; $i < 200000; $i++) { $a["k" . $i % 5003][] = str_repeat("v", $i % 97); }
    echo count($a), " ", crc32(json_encode($a)), "\n";'
