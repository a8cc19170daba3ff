<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title><?= htmlspecialchars(getenv('SITE_NAME') ?: 'My site') ?></title>
  </head>
  <body>
    <h1><?= htmlspecialchars(getenv('SITE_NAME') ?: 'My site') ?></h1>
    <p>This is public/index.php on PHP <?= PHP_MAJOR_VERSION ?>. Make it yours.</p>
  </body>
</html>
