{{/*
Enabled applications as a YAML list, for those that publish it
*/}}
{{- define "enabledServicesYamlList" -}}
{{- range $name, $enabled := .Values.applications }}
{{- if $enabled }}
- {{ $name }}
{{- end }}
{{- end }}
{{- end }}
