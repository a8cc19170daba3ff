"""Plans: what an application may use. The one called `default` comes with the installation."""
