"""Addresses of this site."""

from addons.django.django_loader import addon_urls
from addons.django.health import health
from django.contrib import admin
from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [
    path("health/", health),
    path("admin/", admin.site.urls),
    *addon_urls(),
    path("", TemplateView.as_view(template_name="home.html")),
]
