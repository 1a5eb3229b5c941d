{{/*
While the schema may change, what its hook needs must be there before it, and so is a hook itself
*/}}
{{- define "gafaelfawr.schemaHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation
helm.sh/hook-weight: {{ . | quote }}
{{- end }}
