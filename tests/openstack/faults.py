"""Faults between a client and a real service, by order of the tests.

$OSL_STATE/faults/<anything> holds one fault: "service METHOD path-regex action".
It is used once (the file goes). Actions:
  429:N        too many requests, Retry-After N        503, 500, 409, 401   that status, with a service's body
  reset        the connection ends before the service sees the request
  lost         the service does it, then the connection ends without an answer
  newest:1.N   the service does it and says that it speaks no newer microversion
The path is matched with its query, if it has one.
"""
import json
import os
import re
import socket


def older(start_response, newest):
    def start(status, headers, *rest):
        name = 'openstack-api-maximum-version'
        kept = [h for h in headers if h[0].lower() != name]
        return start_response(status, kept + [(name, 'container-infrastructure-management ' + newest)], *rest)
    return start


class Faults:
    def __init__(self, app, service):
        self.app, self.service = app, service
        self.folder = os.path.join(os.environ['OSL_STATE'], 'faults')
        os.makedirs(self.folder, exist_ok=True)

    def take(self, method, path):
        for name in sorted(os.listdir(self.folder)):
            file = os.path.join(self.folder, name)
            try:
                with open(file) as f:
                    service, verb, regex, action = f.read().split()
                if (service, verb) == (self.service, method) and re.search(regex, path):
                    os.remove(file)
                    return action
            except (FileNotFoundError, ValueError):     # another worker took it, or it is being written
                continue
        return None

    def __call__(self, environ, start_response):
        if not environ.get('HTTP_USER_AGENT', '').startswith('rsp-install'):
            return self.app(environ, start_response)    # what services ask of each other is left alone
        query = environ.get('QUERY_STRING')
        path = environ.get('SCRIPT_NAME', '') + environ['PATH_INFO'] + ('?' + query if query else '')
        action = self.take(environ['REQUEST_METHOD'], path)
        if action is None:
            return self.app(environ, start_response)
        if action == 'lost':
            b''.join(self.app(environ, lambda *_: None))
        if action in ('lost', 'reset'):
            environ['gunicorn.socket'].shutdown(socket.SHUT_RDWR)
            return [b'']
        status, _, after = action.partition(':')
        if status == 'newest':
            return self.app(environ, older(start_response, after))
        headers = [('Content-Type', 'application/json')]
        if after:
            headers.append(('Retry-After', after))
        start_response(status + ' Fault', headers)
        return [json.dumps({'errors': [{'status': int(status), 'title': 'A fault', 'code': 'client',
                                        'detail': 'A fault by order of the test', 'links': []}]}).encode()]
